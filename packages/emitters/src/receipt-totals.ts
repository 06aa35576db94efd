import type { ChargebackRow } from '@chargeback/plugin-api';

/** Adds the rows' ledger units to the totals by currency that a receipt confirms. */
export function addTotals(totals: Map<string, bigint>, rows: readonly ChargebackRow[]): void {
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
