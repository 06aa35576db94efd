/** Codes of what can be wrong with an amount; the full table lives in `@chargeback/plugin-api`. */
export type MoneyErrorCode =
  | 'CB_MONEY_CURRENCY'
  | 'CB_MONEY_PARSE'
  | 'CB_MONEY_TOO_LARGE'
  | 'CB_MONEY_WEIGHT';

/** What went wrong with an amount, a weight or a split. */
export class MoneyError extends Error {
  override readonly name = 'MoneyError';
  readonly code: MoneyErrorCode;

  constructor(code: MoneyErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
