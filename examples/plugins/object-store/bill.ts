import { Decimal, moneyFromDecimal } from '@chargeback/money';
import { type BillingLineItem, daysOf, startOfDay, type Window } from '@chargeback/plugin-api';
import { isOf, readCsv } from './read-csv.ts';

const COLUMNS = ['day', 'bucket', 'owner', 'product', 'quantity', 'unit_price'] as const;

export type BillRow = ReturnType<typeof readBill>[number];

export function readBill(text: string) {
  return readCsv(text, COLUMNS);
}

/** The lines of the days in the window: quantity × unit price, rounded once. */
export function linesOf(rows: readonly BillRow[], window: Window, currency: string): BillingLineItem[] {
  return daysOf(window).flatMap((date) =>
    rows
      .filter((row) => isOf(date, row))
      .map((row) => {
        const [quantity, unitPrice] = [new Decimal(row.quantity), new Decimal(row.unit_price)];
        return {
          lineId: `${row.bucket || 'account'}/${row.product}/${date}`,
          timestamp: startOfDay(date),
          granularity: 'daily',
          resourceId: row.bucket || null,
          environmentId: null,
          productCategory: 'object-store',
          productType: row.product,
          quantity,
          unitPrice,
          totalCost: moneyFromDecimal(quantity.times(unitPrice), currency).amount,
          coverage: null,
          metadata: {},
        };
      }),
  );
}
