import { isZeroMoney } from '@chargeback/money';
import { type BillingLineItem, dayWindow, isoDateOf, type Resource } from '@chargeback/plugin-api';
import type { RowProblems } from './row-problems.ts';

/** When resources existed, by id, as their listing has it. */
export type ListedLifetimes = ReadonlyMap<string, Pick<Resource, 'createdAt' | 'deletedAt'>>;

/**
 * Tells of lines for a time in which their resource did not exist, whole days before its creation or after its
 * deletion: of such a line nothing is allocated, which nobody may have to find out by adding up.
 */
export function tellOfLinesOutside(
  lines: readonly BillingLineItem[],
  lifetimes: ListedLifetimes,
  problems: RowProblems,
): void {
  for (const line of lines) {
    const lifetime = line.resourceId === null ? undefined : lifetimes.get(line.resourceId);
    const why = lifetime && !isZeroMoney(line.totalCost) ? outside(line, lifetime) : null;
    if (why === null) continue;
    const date = isoDateOf(line.timestamp);
    const message = `${line.productType} of ${line.resourceId} is retained: the listing says ${why}`;
    problems.add('CB_BILLING_LIFETIME', message, { severity: 'warning', date });
  }
}

function outside(
  { timestamp, granularity }: BillingLineItem,
  { createdAt, deletedAt }: Pick<Resource, 'createdAt' | 'deletedAt'>,
): string | null {
  const end =
    granularity === 'monthly'
      ? new Date(Date.UTC(timestamp.getUTCFullYear(), timestamp.getUTCMonth() + 1, 1))
      : dayWindow(isoDateOf(timestamp)).end;
  if (createdAt !== null && createdAt >= end) return `it was created at ${createdAt.toISOString()}`;
  if (deletedAt !== null && deletedAt <= timestamp) return `it was deleted at ${deletedAt.toISOString()}`;
  return null;
}
