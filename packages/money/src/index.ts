export { addTotals } from './add-totals.ts';
export { Decimal } from './decimal.ts';
export { formatMoney, formatUnits } from './format-money.ts';
export {
  addMoney,
  isZeroMoney,
  LEDGER_SCALE,
  MAX_UNITS,
  money,
  type Money,
  negateMoney,
  SHARE_SCALE,
  subtractMoney,
  sumMoney,
  UNITS_PER_QUANTUM,
  zeroMoney,
} from './money.ts';
export { MoneyError, type MoneyErrorCode } from './money-error.ts';
export { moneyFromDecimal, type ParsedMoney, parseMoney } from './parse-money.ts';
export {
  compareKeys,
  fractionOfMoney,
  type Share,
  type ShareColumns,
  splitByWeight,
  splitColumns,
  type WeightColumns,
  type WeightedRecipient,
} from './split-by-weight.ts';
export { assertRatios, RATIO_TOLERANCE, splitPortions } from './split-portions.ts';
export { type Weight, weightFromSample } from './weight.ts';
