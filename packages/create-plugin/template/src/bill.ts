import { Decimal, moneyFromDecimal } from '@chargeback/money';
import { type BillingLineItem, daysOf, startOfDay, type Window } from '@chargeback/plugin-api';

/** A row of the bill. `day` is a UTC day, or `daily` for what is billed every day. */
export interface Row {
  readonly day: string;
  readonly resource: string;
  readonly owner: string | null;
  readonly product: string;
  readonly quantity: string;
  readonly unitPrice: string;
}

/** Reads the bill. A row that is not understood is an error: nothing is dropped in silence. */
export function rowsOf(text: string): Row[] {
  const [, ...lines] = text.trim().split(/\r?\n/);
  return lines.map((line, index) => {
    const [day, resource, owner, product, quantity, unitPrice, ...more] = line.split(',');
    if (!day || !resource || !product || !quantity || !unitPrice || more.length > 0) {
      throw new Error(`row ${index + 2} of the bill is not understood: ${line}`);
    }
    return { day, resource, owner: owner || null, product, quantity, unitPrice };
  });
}

/** The lines of the days in the window. An id is made of content, so that gathering again replaces. */
export function linesOf(rows: readonly Row[], window: Window, currency: string): BillingLineItem[] {
  return daysOf(window).flatMap((date) =>
    rows
      .filter(({ day }) => day === date || day === 'daily')
      .map((row) => {
        const [quantity, unitPrice] = [new Decimal(row.quantity), new Decimal(row.unitPrice)];
        return {
          lineId: `${row.resource}/${row.product}/${date}`,
          timestamp: startOfDay(date),
          granularity: 'daily',
          resourceId: row.resource,
          environmentId: null,
          productCategory: '__NAME__',
          productType: row.product,
          quantity,
          unitPrice,
          // Amounts are exact; they are never a number.
          totalCost: moneyFromDecimal(quantity.times(unitPrice), currency).amount,
          coverage: null,
          metadata: {},
        };
      }),
  );
}
