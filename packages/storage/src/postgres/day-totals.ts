import type { DayNumber } from '../convert.ts';
import type { CalculatedPortion } from '../store.ts';
import { encode } from './copy-text.ts';
import type { Names } from './names.ts';

/** Targets of `COPY`. */
export const IDENTITY_TOTALS = 'identity_totals (day, name_id, currency, amount, row_count)';
export const GROUP_TOTALS = 'group_totals (day, group_id, amount, row_count)';

interface Sum {
  amount: bigint;
  rows: number;
}

/** Adds the facts of one day up, by identity and by group, while they are written. */
export class DayTotals {
  readonly #day: DayNumber;
  readonly #names: Names;
  /** By currency, then by identity. */
  readonly #byIdentity = new Map<string, Map<string, Sum>>();
  readonly #byGroup = new Map<number, Sum>();
  #rowCount = 0;

  constructor(day: DayNumber, names: Names) {
    this.#day = day;
    this.#names = names;
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  add(
    { identityIds, units }: Pick<CalculatedPortion, 'identityIds' | 'units'>,
    groupId: number,
    currency: string,
  ): void {
    const ofGroup = sumIn(this.#byGroup, groupId);
    let ofCurrency = this.#byIdentity.get(currency);
    if (!ofCurrency) this.#byIdentity.set(currency, (ofCurrency = new Map()));
    for (let row = 0; row < identityIds.length; row += 1) {
      const amount = units[row]!;
      const sum = sumIn(ofCurrency, identityIds[row]!);
      sum.amount += amount;
      sum.rows += 1;
      ofGroup.amount += amount;
    }
    ofGroup.rows += identityIds.length;
    this.#rowCount += identityIds.length;
  }

  *identityText(): Generator<string> {
    for (const [currency, identities] of this.#byIdentity) {
      const text = encode(currency);
      for (const [identityId, { amount, rows }] of identities) {
        yield `${this.#day}\t${this.#names.idOf(identityId)}\t${text}\t${amount}\t${rows}\n`;
      }
    }
  }

  *groupText(): Generator<string> {
    for (const [groupId, { amount, rows }] of this.#byGroup) {
      // A portion without rows is in no group of rows.
      if (rows > 0) yield `${this.#day}\t${groupId}\t${amount}\t${rows}\n`;
    }
  }
}

function sumIn<Key>(sums: Map<Key, Sum>, key: Key): Sum {
  let sum = sums.get(key);
  if (!sum) {
    sum = { amount: 0n, rows: 0 };
    sums.set(key, sum);
  }
  return sum;
}
