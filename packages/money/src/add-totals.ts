import type { Money } from './money.ts';

/** Adds amounts to totals in ledger units by currency, as the receipt of an emission has them. */
export function addTotals(
  totals: Map<Money['currency'], bigint>,
  rows: readonly { readonly amount: Money }[],
): void {
  for (let index = 0; index < rows.length;) {
    const { currency } = rows[index]!.amount;
    let units = totals.get(currency) ?? 0n;
    // Neighbours mostly share their currency.
    for (; index < rows.length && rows[index]!.amount.currency === currency; index += 1) {
      units += rows[index]!.amount.units;
    }
    totals.set(currency, units);
  }
}
