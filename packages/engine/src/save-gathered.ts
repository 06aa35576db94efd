import {
  type BillingBatch,
  type BillingLineItem,
  daysOf,
  isComplete,
  type IsoDate,
  isoDateOf,
  makeProblem,
  type Problem,
  type UsageDay,
} from '@chargeback/plugin-api';
import type { DateState, StoredDay, StoredUsage } from '@chargeback/storage';
import { invalidLines, isInside } from './check-lines.ts';
import { observeIdentities } from './observe-identities.ts';
import type { TenantContext } from './tenant-context.ts';

export interface GatheredSpan {
  readonly span: readonly IsoDate[];
  readonly states: ReadonlyMap<IsoDate, DateState>;
  readonly problems: Problem[];
  readonly batches: readonly BillingBatch[];
  readonly usage: ReadonlyMap<IsoDate, readonly UsageDay[]>;
}

/** Writes a gathered span day by day and returns how many days were written. */
export async function saveGathered(context: TenantContext, gathered: GatheredSpan): Promise<number> {
  const bills = billsByDay(gathered);
  const observed = new Map<string, IsoDate>();
  let saved = 0;
  for (const date of gathered.span) {
    context.signal.throwIfAborted();
    const usage = gathered.usage.get(date) ?? [];
    for (const day of usage) gathered.problems.push(...day.problems);
    const lines = bills.get(date);
    if (!lines) continue;
    if (await saveDay(context, { gathered, date, lines, usage })) saved += 1;
    for (const { queryKey, totals } of usage) {
      if (!context.wiring.namesIdentities(queryKey)) continue;
      for (const identityId of totals.identityIds)
        if (!observed.has(identityId)) observed.set(identityId, date);
    }
  }
  await observeIdentities(context, observed);
  return saved;
}

/** Lines per day; a day that a batch could not bill is missing. */
function billsByDay({ span, batches, problems }: GatheredSpan): Map<IsoDate, BillingLineItem[]> {
  const bills = new Map<IsoDate, BillingLineItem[]>();
  const broken = new Set<IsoDate>();
  for (const batch of batches) {
    problems.push(...batch.problems);
    const days = daysOf(batch.window);
    for (const { severity, date } of batch.problems) {
      if (severity === 'error') for (const day of date === null ? days : [date]) broken.add(day);
    }
    for (const day of days) if (!bills.has(day)) bills.set(day, []);
    const invalid = invalidLines(batch);
    problems.push(...invalid);
    for (const { date } of invalid) for (const day of date === null ? days : [date]) broken.add(day);
    // A line that is not inside has held the days of its batch above.
    const inside = batch.lines.filter((line) => isInside(line, batch));
    for (const line of inside) bills.get(isoDateOf(line.timestamp))?.push(line);
  }
  for (const date of span) {
    if (broken.has(date)) bills.delete(date);
    else if (!bills.has(date)) {
      problems.push(
        makeProblem('CB_BILLING_GATHER', `${date}: the source answered no bill for the day`, {
          severity: 'error',
          date,
        }),
      );
    }
  }
  return bills;
}

interface DayToSave {
  readonly gathered: GatheredSpan;
  readonly date: IsoDate;
  readonly lines: readonly BillingLineItem[];
  readonly usage: readonly UsageDay[];
}

async function saveDay(
  context: TenantContext,
  { gathered, date, lines, usage }: DayToSave,
): Promise<boolean> {
  const state = gathered.states.get(date);
  const stored =
    state && context.ecosystem.regather === 'until_complete' ? await context.store.loadDay(date) : undefined;
  const complete = isDayComplete(context, lines, usage);
  if (state?.complete && stored && !complete) {
    // Metrics fade with the server's retention: what was complete once is not replaced by less.
    gathered.problems.push(
      makeProblem(
        'CB_USAGE_INCOMPLETE',
        `${date} keeps its stored inputs: the source now has less than it had`,
        {
          date,
        },
      ),
    );
    await context.store.saveGatheredDay({
      date,
      lines: stored.lines,
      usage: [],
      gatherFingerprint: context.gatherFingerprint,
      complete: true,
      gatheredAt: context.clock(),
    });
    return false;
  }
  const sameSettings = state?.gatherFingerprint === context.gatherFingerprint;
  const known = sameSettings ? stored : undefined;
  await context.store.saveGatheredDay({
    date,
    lines: known ? lines.map((line) => betterLine(line, known)) : lines,
    usage: known ? usage.filter((day) => !isWorse(day, known.usage.get(day.queryKey))) : usage,
    gatherFingerprint: context.gatherFingerprint,
    complete,
    gatheredAt: context.clock(),
  });
  return true;
}

function isDayComplete(
  context: TenantContext,
  lines: readonly BillingLineItem[],
  usage: readonly UsageDay[],
): boolean {
  const answered = new Map(usage.map((day) => [day.queryKey, day.outcome]));
  return (
    lines.every(({ coverage }) => coverage === null || isComplete(coverage)) &&
    context.wiring.usageQueries.every(({ key }) => answered.get(key) === 'complete')
  );
}

/** Of two gatherings of one line under the same settings the one that saw more counts. */
function betterLine(line: BillingLineItem, stored: StoredDay): BillingLineItem {
  const before = stored.lines.find(({ lineId }) => lineId === line.lineId);
  const less = (before?.coverage?.samplesSeen ?? 0) > (line.coverage?.samplesSeen ?? 0);
  return before && line.coverage !== null && less ? before : line;
}

function isWorse(day: UsageDay, stored: StoredUsage | undefined): boolean {
  return stored !== undefined && stored.coverage.samplesSeen > day.coverage.samplesSeen;
}
