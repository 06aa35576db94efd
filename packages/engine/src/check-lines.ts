import { type BillingBatch, isoDateOf, makeProblem, type Problem } from '@chargeback/plugin-api';

/** What makes lines of a batch unusable: each problem holds its day, so that no cost is dropped in silence. */
export function invalidLines(batch: BillingBatch): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  const batchDate = isoDateOf(batch.window.start);
  for (const line of batch.lines) {
    const time = line.timestamp.getTime();
    const dated = Number.isFinite(time);
    const date = dated ? isoDateOf(line.timestamp) : batchDate;
    const complain = (what: string): void => {
      problems.push(
        makeProblem('CB_LINE_INVALID', `line ${line.lineId} ${what}`, {
          severity: 'error',
          date,
          path: line.lineId,
        }),
      );
    };
    if (seen.has(line.lineId)) complain('occurs twice in one batch');
    seen.add(line.lineId);
    if (line.lineId === '') complain('has no id');
    if (line.productType === '') complain('has no product type');
    if (!dated || line.timestamp < batch.window.start || line.timestamp >= batch.window.end) {
      complain('lies outside the window of its batch');
    }
    if (!line.quantity.isFinite() || !line.unitPrice.isFinite())
      complain('has a quantity or price that is not finite');
  }
  return problems;
}
