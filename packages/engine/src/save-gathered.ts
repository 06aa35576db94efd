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
  const sameSettings = state?.gatherFingerprint === context.gatherFingerprint;
  const knownUsage = sameSettings ? (stored?.usage ?? (await context.store.usageCoverage(date))) : NO_USAGE;
  const complete = isDayComplete(context, { lines, usage, knownUsage });
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
  const known = sameSettings ? stored : undefined;
  await context.store.saveGatheredDay({
    date,
    lines: known ? lines.map((line) => betterLine(line, known)) : lines,
    usage: usage.filter((day) => !isWorse(day, knownUsage.get(day.queryKey))),
    gatherFingerprint: context.gatherFingerprint,
    complete,
    gatheredAt: context.clock(),
  });
  return true;
}

type KnownUsage = ReadonlyMap<string, Pick<StoredUsage, 'coverage' | 'outcome'>>;

const NO_USAGE: KnownUsage = new Map();

/** Usage that was stored whole before need not be answered again, and is not where a bill is restated. */
function isDayComplete(
  context: TenantContext,
  day: { lines: readonly BillingLineItem[]; usage: readonly UsageDay[]; knownUsage: KnownUsage },
): boolean {
  const answered = new Map(day.usage.map(({ queryKey, outcome }) => [queryKey, outcome]));
  const restated = context.ecosystem.regather === 'always';
  const outcomeOf = (key: string) => {
    const known = restated ? day.knownUsage.get(key)?.outcome : undefined;
    return known === 'complete' ? known : answered.get(key);
  };
  return (
    day.lines.every(({ coverage }) => coverage === null || isComplete(coverage)) &&
    context.wiring.usageQueries.every(({ key }) => outcomeOf(key) === 'complete')
  );
}

/** Of two gatherings of one line under the same settings the one that saw more counts. */
function betterLine(line: BillingLineItem, stored: StoredDay): BillingLineItem {
  const before = stored.lines.find(({ lineId }) => lineId === line.lineId);
  const less = (before?.coverage?.samplesSeen ?? 0) > (line.coverage?.samplesSeen ?? 0);
  return before && line.coverage !== null && less ? before : line;
}

function isWorse(day: UsageDay, stored: Pick<StoredUsage, 'coverage'> | undefined): boolean {
  return stored !== undefined && stored.coverage.samplesSeen > day.coverage.samplesSeen;
}
