import {
  type BillingBatch,
  type BillingLineItem,
  isoDateOf,
  makeProblem,
  type Problem,
} from '@chargeback/plugin-api';

/**
 * What makes lines of a batch unusable: each problem holds its day, so that no cost is dropped in silence. A
 * line that belongs to no day of the batch holds all of them: its problem has no date.
 */
export function invalidLines(batch: BillingBatch): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const line of batch.lines) {
    const inside = isInside(line, batch);
    const date = inside ? { date: isoDateOf(line.timestamp) } : {};
    const complain = (what: string): void => {
      problems.push(
        makeProblem('CB_LINE_INVALID', `line ${line.lineId} ${what}`, {
          severity: 'error',
          ...date,
          path: line.lineId,
        }),
      );
    };
    if (seen.has(line.lineId)) complain('occurs twice in one batch');
    seen.add(line.lineId);
    if (line.lineId === '') complain('has no id');
    if (line.productType === '') complain('has no product type');
    if (!inside) complain('lies outside the window of its batch');
    if (!line.quantity.isFinite() || !line.unitPrice.isFinite())
      complain('has a quantity or price that is not finite');
  }
  return problems;
}

/** Whether a line belongs to a day of its batch. Comparing an invalid date is always false. */
export function isInside({ timestamp }: BillingLineItem, { window }: BillingBatch): boolean {
  return timestamp >= window.start && timestamp < window.end;
}
