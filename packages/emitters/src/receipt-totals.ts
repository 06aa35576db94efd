import type { ChargebackRow } from '@chargeback/plugin-api';

/** Adds the rows' ledger units to the totals by currency that a receipt confirms. */
export function addTotals(totals: Map<string, bigint>, rows: readonly ChargebackRow[]): void {
  for (const { amount } of rows) {
    totals.set(amount.currency, (totals.get(amount.currency) ?? 0n) + amount.units);
  }
}
