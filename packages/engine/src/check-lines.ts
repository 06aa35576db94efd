import {
  type BillingBatch,
  type BillingLineItem,
  type IsoDate,
  isoDateOf,
  makeProblem,
  type Problem,
  type UsageDay,
} from '@chargeback/plugin-api';

/**
 * What makes lines of a batch unusable: each problem holds its day, so that no cost is dropped in silence. A
 * line that belongs to no day of the batch holds all of them: its problem has no date.
 */
export function invalidLines(batch: BillingBatch): Problem[] {
  const problems: Problem[] = [];
  for (const line of batch.lines) {
    const inside = isInside(line, batch);
    const complain = (what: string): void => {
      problems.push(lineProblem(line, what, inside ? isoDateOf(line.timestamp) : null));
    };
    if (line.lineId === '') complain('has no id');
    if (!line.lineId.isWellFormed()) complain('has an id that is not well-formed text');
    if (line.productType === '') complain('has no product type');
    if (!inside) complain('lies outside the window of its batch');
    if (!line.quantity.isFinite() || !line.unitPrice.isFinite())
      complain('has a quantity or price that is not finite');
  }
  return problems;
}

/** Two lines of one day with one id, from whatever batches: nobody can tell which is the right one. */
export function duplicateLines(date: IsoDate, lines: readonly BillingLineItem[]): Problem[] {
  const seen = new Set<string>();
  const problems: Problem[] = [];
  for (const line of lines) {
    if (seen.has(line.lineId)) problems.push(lineProblem(line, 'occurs twice', date));
    seen.add(line.lineId);
  }
  return problems;
}

function lineProblem({ lineId }: BillingLineItem, what: string, date: IsoDate | null): Problem {
  return makeProblem('CB_LINE_INVALID', `line ${lineId} ${what}`, {
    severity: 'error',
    path: lineId,
    ...(date === null ? {} : { date }),
  });
}

/** Whether a line belongs to a day of its batch. Comparing an invalid date is always false. */
export function isInside({ timestamp }: BillingLineItem, { window }: BillingBatch): boolean {
  return timestamp >= window.start && timestamp < window.end;
}

/** Names as a database keeps them: half of a surrogate pair would come back as another character. */
export function wellFormedLine(line: BillingLineItem): BillingLineItem {
  const { resourceId, environmentId, productCategory, productType } = line;
  const names = [resourceId, environmentId, productCategory, productType];
  if (names.every((name) => name === null || name.isWellFormed())) return line;
  return {
    ...line,
    resourceId: resourceId?.toWellFormed() ?? null,
    environmentId: environmentId?.toWellFormed() ?? null,
    productCategory: productCategory.toWellFormed(),
    productType: productType.toWellFormed(),
  };
}

export function wellFormedUsage(day: UsageDay): UsageDay {
  const { resourceIds, identityIds, values } = day.totals;
  if (areWellFormed(resourceIds ?? []) && areWellFormed(identityIds)) return day;
  return {
    ...day,
    totals: {
      resourceIds: resourceIds?.map((name) => name.toWellFormed()) ?? null,
      identityIds: identityIds.map((name) => name.toWellFormed()),
      values,
    },
  };
}

function areWellFormed(names: readonly string[]): boolean {
  return names.every((name) => name.isWellFormed());
}
