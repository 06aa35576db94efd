import { setImmediate } from 'node:timers/promises';
import {
  type BillingBatch,
  type BillingLineItem,
  ChargebackError,
  daysOf,
  describeCause,
  type Identity,
  isComplete,
  type IsoDate,
  isoDateOf,
  makeProblem,
  type Problem,
  problemOf,
  type UsageDay,
} from '@chargeback/plugin-api';
import type { DateState, GatheredUsage, UsageSummary } from '@chargeback/storage';
import { duplicateLines, invalidLines, isInside, wellFormedLine, wellFormedUsage } from './check-lines.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import { judgeUsage, mergeLine, uniteTotals, type Verdict } from './merge-inputs.ts';
import type { TenantContext } from './tenant-context.ts';

export interface GatheredSpan {
  readonly span: readonly IsoDate[];
  readonly states: ReadonlyMap<IsoDate, DateState>;
  readonly problems: Problem[];
  readonly batches: readonly BillingBatch[];
  readonly usage: ReadonlyMap<IsoDate, readonly UsageDay[]>;
  /** Names already recorded in this run, on an earlier day than those to come. */
  readonly observed: Set<string>;
}

/** Writes a gathered span day by day and returns how many days were written. A day that cannot be is a problem. */
export async function saveGathered(context: TenantContext, gathered: GatheredSpan): Promise<number> {
  const bills = billsByDay(gathered);
  const emptied = emptiedDays(context, gathered, bills);
  for (const date of emptied) {
    bills.delete(date);
    gathered.problems.push(emptiedProblem(date));
  }
  const sourceAnswered = hasSamples(gathered);
  let saved = 0;
  for (const date of gathered.span) {
    await setImmediate();
    context.signal.throwIfAborted();
    const usage = (gathered.usage.get(date) ?? []).map(wellFormedUsage);
    for (const day of usage) gathered.problems.push(...day.problems);
    const lines = bills.get(date);
    if (!lines) continue;
    try {
      await saveDay(context, { gathered, date, lines, usage, sourceAnswered });
      saved += 1;
    } catch (cause) {
      rethrowFatal(context, cause);
      gathered.problems.push(unsavedProblem(date, cause));
    }
  }
  return saved;
}

function unsavedProblem(date: IsoDate, cause: unknown): Problem {
  if (ChargebackError.isInstance(cause)) return problemOf(cause, date);
  const message = `${date}: the inputs cannot be stored: ${describeCause(cause)}`;
  return makeProblem('CB_LINE_INVALID', message, { severity: 'error', date });
}

/** Lines per day; a day that a batch could not bill is missing. */
function billsByDay({ span, batches, problems }: GatheredSpan): Map<IsoDate, BillingLineItem[]> {
  const bills = new Map<IsoDate, BillingLineItem[]>();
  const broken = new Set<IsoDate>();
  const complain = (found: readonly Problem[], days: readonly IsoDate[]): void => {
    problems.push(...found);
    for (const { severity, date } of found) {
      if (severity === 'error') for (const day of date === null ? days : [date]) broken.add(day);
    }
  };
  for (const batch of batches) {
    const days = daysOf(batch.window);
    complain(batch.problems, days);
    for (const day of days) if (!bills.has(day)) bills.set(day, []);
    complain(invalidLines(batch), days);
    // A line that is not inside has held the days of its batch above.
    for (const line of batch.lines.filter((inside) => isInside(inside, batch))) {
      bills.get(isoDateOf(line.timestamp))?.push(wellFormedLine(line));
    }
  }
  for (const [date, lines] of bills) complain(duplicateLines(date, lines), [date]);
  for (const date of span) {
    if (broken.has(date)) bills.delete(date);
    else if (!bills.has(date)) complain([noBill(date)], [date]);
  }
  return bills;
}

/**
 * Days of which lines are known, when a source that restates brings not one line for any day it was asked about:
 * a bill that is gone altogether is more likely a fault than a restatement.
 */
function emptiedDays(
  context: TenantContext,
  { span, states }: GatheredSpan,
  bills: ReadonlyMap<IsoDate, readonly BillingLineItem[]>,
): IsoDate[] {
  if (context.regather || context.ecosystem.regather !== 'always') return [];
  if ([...bills.values()].some((lines) => lines.length > 0)) return [];
  return span.filter((date) => bills.has(date) && (states.get(date)?.lineCount ?? 0) > 0);
}

function emptiedProblem(date: IsoDate): Problem {
  const message = `${date}: the source brings no line at all any more; what was stored stays`;
  return makeProblem('CB_BILLING_GATHER', message, {
    severity: 'error',
    date,
    fix: 'Check the credentials and the source. When the bill is really gone, run with --regather for these days.',
  });
}

function noBill(date: IsoDate): Problem {
  const message = `${date}: the source answered no bill for the day`;
  return makeProblem('CB_BILLING_GATHER', message, { severity: 'error', date });
}

function hasSamples({ batches, usage }: GatheredSpan): boolean {
  for (const days of usage.values()) if (days.some(({ coverage }) => coverage.samplesSeen > 0)) return true;
  return batches.some(({ lines }) => lines.some(({ coverage }) => coverage && coverage.samplesSeen > 0));
}

interface DayToSave {
  readonly gathered: GatheredSpan;
  readonly date: IsoDate;
  readonly lines: readonly BillingLineItem[];
  readonly usage: readonly UsageDay[];
  readonly sourceAnswered: boolean;
}

async function saveDay(context: TenantContext, day: DayToSave): Promise<void> {
  const { gathered, date } = day;
  const state = gathered.states.get(date);
  const lines = await mergeLines(context, day, state);
  const usage = await mergeUsages(context, day, state);
  const stale = [...lines.verdicts, ...usage.verdicts].filter(([, verdict]) => verdict === 'stale');
  const kept = [...lines.verdicts, ...usage.verdicts].filter(([, verdict]) => verdict === 'kept');
  const observed = newlyObserved(context, gathered.observed, day.usage);
  await context.store.saveGatheredDay({
    date,
    lines: lines.lines,
    usage: usage.taken,
    observed,
    // With an answer to an earlier question the day is still to be asked.
    gatherFingerprint: stale.length > 0 && state ? state.gatherFingerprint : context.gatherFingerprint,
    complete: stale.length === 0 && isDayComplete(context, lines.lines, usage.summaries),
    gatheredAt: context.clock(),
  });
  for (const { identityId } of observed) gathered.observed.add(identityId);
  if (kept.length > 0) gathered.problems.push(keptProblem(date, kept));
  if (stale.length > 0) gathered.problems.push(staleProblem(date, stale, day.sourceAnswered));
}

type Verdicts = readonly (readonly [name: string, verdict: Verdict])[];

function keptProblem(date: IsoDate, kept: Verdicts): Problem {
  const names = kept.map(([name]) => name).join(', ');
  return makeProblem(
    'CB_USAGE_INCOMPLETE',
    `${date} keeps what was stored for ${names}: the source now has less than it had`,
    { date, fix: 'Nothing needs to be done: a metrics server forgets, the stored samples do not.' },
  );
}

function staleProblem(date: IsoDate, stale: Verdicts, sourceAnswered: boolean): Problem {
  const names = stale.map(([name]) => name).join(', ');
  const why = sourceAnswered ? 'the source has less for them than was stored' : 'the source did not answer';
  return makeProblem(
    'CB_USAGE_INCOMPLETE',
    `${date} still stands on the earlier settings for ${names}: ${why}; it is asked again at every run`,
    {
      date,
      severity: sourceAnswered ? 'warning' : 'error',
      fix: 'Run again when the source answers. To take what it has, run with --regather for these days.',
    },
  );
}

async function mergeLines(
  context: TenantContext,
  { date, lines }: DayToSave,
  state: DateState | undefined,
): Promise<{ lines: readonly BillingLineItem[]; verdicts: Verdicts }> {
  // The vendor's own lines are never merged: only measured ones need what is stored.
  if (!state || lines.every(({ coverage }) => coverage === null)) return { lines, verdicts: [] };
  const stored = new Map((await context.store.loadLines(date)).map((line) => [line.lineId, line]));
  const options = {
    sameSettings: state.gatherFingerprint === context.gatherFingerprint,
    force: context.regather,
  };
  const merged = lines.map((line) => mergeLine(line, stored.get(line.lineId), options));
  return {
    lines: merged.map(({ line }) => line),
    verdicts: merged.map(({ line, verdict }) => [line.lineId, verdict] as const),
  };
}

interface MergedUsage {
  /** What replaces the stored answers of its queries. */
  readonly taken: readonly GatheredUsage[];
  /** How each query stands after that. */
  readonly summaries: ReadonlyMap<string, UsageSummary>;
  readonly verdicts: Verdicts;
}

async function mergeUsages(
  context: TenantContext,
  { date, usage }: DayToSave,
  state: DateState | undefined,
): Promise<MergedUsage> {
  const summaries = new Map(state ? await context.store.usageCoverage(date) : []);
  const taken: GatheredUsage[] = [];
  const verdicts: [string, Verdict][] = [];
  for (const day of usage) {
    const definition = context.wiring.definitionOf(day.queryKey);
    const stored = summaries.get(day.queryKey);
    const verdict = judgeUsage(day, stored, { definition, force: context.regather });
    verdicts.push([`usage ${day.queryKey}`, verdict]);
    if (verdict !== 'new') continue;
    const whole = await withStoredNames(context, { day, stored, definition });
    taken.push({ ...whole, definition });
    summaries.set(day.queryKey, { coverage: day.coverage, outcome: day.outcome, definition });
  }
  return { taken, summaries, verdicts };
}

/** A query that only asks who exists is whole with one instant: a later answer adds names, it takes none away. */
async function withStoredNames(
  context: TenantContext,
  { day, stored, definition }: { day: UsageDay; stored: UsageSummary | undefined; definition: string },
): Promise<UsageDay> {
  if (!context.wiring.asksWhoExists(day.queryKey) || stored?.definition !== definition) return day;
  const before = (await context.store.loadDay(day.date))?.usage.get(day.queryKey);
  return before ? { ...day, totals: uniteTotals(day.totals, before) } : day;
}

function isDayComplete(
  context: TenantContext,
  lines: readonly BillingLineItem[],
  answered: ReadonlyMap<string, UsageSummary>,
): boolean {
  return (
    lines.every(({ coverage }) => coverage === null || isComplete(coverage)) &&
    context.wiring.usageQueries.every(({ key }) => answered.get(key)?.outcome === 'complete')
  );
}

/** Days come in order, so a name that this run has recorded already is known from an earlier day. */
function newlyObserved(
  context: TenantContext,
  known: ReadonlySet<string>,
  usage: readonly UsageDay[],
): Identity[] {
  const describe = context.ecosystem.identityFromUsage?.bind(context.ecosystem);
  if (!describe) return [];
  const names = new Set<string>();
  for (const { queryKey, totals } of usage) {
    if (!context.wiring.namesIdentities(queryKey)) continue;
    for (const name of totals.identityIds) if (!known.has(name)) names.add(name);
  }
  return [...names].map((name) => describe(name));
}
