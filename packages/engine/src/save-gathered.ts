import { setImmediate } from 'node:timers/promises';
import {
  type BillingLineItem,
  ChargebackError,
  describeCause,
  type Identity,
  isComplete,
  type IsoDate,
  makeProblem,
  type Problem,
  problemOf,
  type UsageDay,
} from '@chargeback/plugin-api';
import type { DateState, GatheredUsage, UsageSummary } from '@chargeback/storage';
import { type Bills, billsByDay } from './bills-by-day.ts';
import { wellFormedUsage } from './check-lines.ts';
import { distinct, type EarlierProblems } from './earlier-problems.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import { formerLines, judgeUsage, mergeLine, uniteTotals, type Verdict } from './merge-inputs.ts';
import type { TenantContext } from './tenant-context.ts';

export interface GatheredSpan extends Bills {
  readonly usage: ReadonlyMap<IsoDate, readonly UsageDay[]>;
  readonly earlier: EarlierProblems;
  /** Tells whether a sighting adds nothing to what this run has recorded. */
  readonly sightings: Sightings;
  /** Called for each day whose inputs were written. */
  readonly onSaved: (stored: DayStored) => void;
}

/** A day whose inputs have been written. */
export interface DayStored {
  readonly state: DateState;
  /** Whether they told of somebody of whom nothing was stored, or not yet for that day. */
  readonly observes: boolean;
}

export interface Sightings {
  /** The earliest day on which this run has recorded a name: a later one of it adds nothing. */
  readonly recorded: Map<string, IsoDate>;
  /** Names with a lifetime that ends: one that is seen after it begins another, so each day of theirs counts. */
  readonly ending: ReadonlySet<string>;
}

/** Writes a gathered span day by day. A day that cannot be written is a problem. */
export async function saveGathered(context: TenantContext, gathered: GatheredSpan): Promise<void> {
  const bills = billsByDay(context, gathered);
  const sourceAnswered = hasSamples(gathered);
  for (const date of gathered.span) {
    await saveGuarded(context, { gathered, date, lines: bills.get(date) ?? null, sourceAnswered });
  }
}

/** Stores what the metrics source said of days that have no bill: it may not remember until they have one. */
export async function saveUsageAlone(context: TenantContext, gathered: GatheredSpan): Promise<void> {
  for (const date of gathered.span) {
    await saveGuarded(context, { gathered, date, lines: null, sourceAnswered: hasSamples(gathered) });
  }
}

interface DayToSave {
  readonly gathered: GatheredSpan;
  readonly date: IsoDate;
  /** Null when there is no bill that could be believed. */
  readonly lines: readonly BillingLineItem[] | null;
  readonly sourceAnswered: boolean;
}

async function saveGuarded(context: TenantContext, day: DayToSave): Promise<void> {
  await setImmediate();
  context.signal.throwIfAborted();
  const { gathered, date, lines } = day;
  const usage = (gathered.usage.get(date) ?? []).map(wellFormedUsage);
  for (const { problems } of usage) gathered.problems.push(...problems);
  try {
    if (lines) await saveDay(context, { ...day, lines, usage });
    else await saveUsage(context, { ...day, usage });
  } catch (cause) {
    rethrowFatal(context, cause);
    gathered.problems.push(unsavedProblem(date, cause));
  }
}

function unsavedProblem(date: IsoDate, cause: unknown): Problem {
  if (ChargebackError.isInstance(cause)) return problemOf(cause, date);
  const message = `${date}: the inputs cannot be stored: ${describeCause(cause)}`;
  return makeProblem('CB_LINE_INVALID', message, { severity: 'error', date });
}

function hasSamples({ batches, usage }: GatheredSpan): boolean {
  for (const days of usage.values()) if (days.some(({ coverage }) => coverage.samplesSeen > 0)) return true;
  return batches.some(({ lines }) => lines.some(({ coverage }) => coverage && coverage.samplesSeen > 0));
}

interface UsageToSave extends DayToSave {
  readonly usage: readonly UsageDay[];
}

interface BilledDayToSave extends UsageToSave {
  readonly lines: readonly BillingLineItem[];
}

async function saveDay(context: TenantContext, day: BilledDayToSave): Promise<void> {
  const { gathered, date } = day;
  const state = gathered.states.get(date);
  const lines = await mergeLines(context, day, state);
  const usage = await mergeUsages(context, day);
  const verdicts = [...lines.verdicts, ...usage.verdicts];
  const isStale = verdicts.some(([, verdict]) => verdict === 'stale');
  const observed = newlyObserved(context, day);
  const complaints = complaintsOf(day, verdicts);
  const stored = await context.store.saveGatheredDay({
    ...problemsOfDay(day, complaints, gathered.earlier.standing),
    date,
    lines: lines.lines,
    usage: usage.taken,
    observed,
    // With an answer to an earlier question the day is still to be asked.
    gatherFingerprint: isStale && state ? state.gatherFingerprint : context.gatherFingerprint,
    complete: !isStale && isDayComplete(context, lines.lines, usage.summaries),
    gatheredAt: context.clock(),
  });
  gathered.onSaved({ state: stored, observes: observed.length > 0 });
  remember(day, observed);
  gathered.problems.push(...complaints);
}

/** The stored bill stays; the day is asked again as if it had not been. */
async function saveUsage(context: TenantContext, day: UsageToSave): Promise<void> {
  const { gathered, date } = day;
  const foreign = gathered.states.has(date) ? await answersToOthers(context, date) : new Set<string>();
  const { taken, verdicts } = await mergeUsages(context, day);
  // A failed answer tells nothing that could be forgotten, and an answer to another question does not fit the bill
  // that is stored.
  const usage = taken.filter(({ outcome, queryKey }) => outcome !== 'failed' && !foreign.has(queryKey));
  gathered.problems.push(...complaintsOf(day, verdicts));
  if (usage.length === 0) return;
  const observed = newlyObserved(context, { ...day, usage });
  const { standing, unanswered } = gathered.earlier;
  const problems = problemsOfDay(day, [], [...standing, ...unanswered]);
  await context.store.saveUsage({ date, usage, observed, ...problems });
  remember(day, observed);
}

/** Queries whose stored answer is to another question than the one that is asked now. */
async function answersToOthers({ store, wiring }: TenantContext, date: IsoDate): Promise<Set<string>> {
  const stored = await store.usageCoverage(date);
  const others = [...stored].filter(([key, { definition }]) => definition !== wiring.definitionOf(key));
  return new Set(others.map(([key]) => key));
}

function remember({ gathered, date }: DayToSave, observed: readonly Identity[]): void {
  const { recorded } = gathered.sightings;
  for (const { identityId } of observed) {
    const known = recorded.get(identityId);
    if (known === undefined || date < known) recorded.set(identityId, date);
  }
}

type Verdicts = readonly (readonly [name: string, verdict: Verdict])[];

function complaintsOf({ date, sourceAnswered }: DayToSave, verdicts: Verdicts): Problem[] {
  const kept = verdicts.filter(([, verdict]) => verdict === 'kept');
  const stale = verdicts.filter(([, verdict]) => verdict === 'stale');
  return [
    ...(kept.length > 0 ? [keptProblem(date, kept)] : []),
    ...(stale.length > 0 ? [staleProblem(date, stale, sourceAnswered)] : []),
  ];
}

/**
 * Written with the inputs that it tells of: a run that breaks off may be the last that asks for them. Nothing where
 * nothing is told and nothing was.
 */
function problemsOfDay(
  { gathered, date }: DayToSave,
  complaints: readonly Problem[],
  before: readonly Problem[],
): { readonly problems?: readonly Problem[] } {
  const isOfDay = (problem: Problem): boolean => problem.date === date;
  const now = [...gathered.problems.filter(isOfDay), ...complaints];
  if (now.length === 0 && !gathered.earlier.dates.has(date)) return {};
  return { problems: distinct([...before.filter(isOfDay), ...now]) };
}

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
  { date, lines }: BilledDayToSave,
  state: DateState | undefined,
): Promise<{ lines: readonly BillingLineItem[]; verdicts: Verdicts }> {
  // The vendor's own lines are never merged: only measured ones need what is stored.
  if (!state || lines.every(({ coverage }) => coverage === null)) return { lines, verdicts: [] };
  const before = formerLines(lines, await context.store.loadLines(date));
  const options = {
    sameSettings: state.gatherFingerprint === context.gatherFingerprint,
    force: context.regather,
  };
  const merged = lines.map((line) => mergeLine(line, before.get(line), options));
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

async function mergeUsages(context: TenantContext, { date, usage }: UsageToSave): Promise<MergedUsage> {
  const summaries = new Map(await context.store.usageCoverage(date));
  const taken: GatheredUsage[] = [];
  const verdicts: [string, Verdict][] = [];
  for (const day of usage) {
    const definition = context.wiring.definitionOf(day.queryKey);
    const stored = summaries.get(day.queryKey);
    const verdict = judgeUsage(day, stored, { definition, force: context.regather });
    verdicts.push([`usage ${day.queryKey}`, verdict]);
    const addsNames =
      verdict === 'kept' && day.outcome !== 'failed' && context.wiring.asksWhoExists(day.queryKey);
    if (verdict !== 'new' && !addsNames) continue;
    const whole = await withStoredNames(context, { day, stored, definition });
    const corrects = isCorrection(context, { day, stored, definition });
    if (addsNames) {
      taken.push({ ...whole, coverage: stored!.coverage, outcome: stored!.outcome, definition });
      continue;
    }
    taken.push({ ...whole, definition, corrects });
    summaries.set(day.queryKey, { coverage: day.coverage, outcome: day.outcome, definition });
  }
  if (context.regather) taken.push(...withdrawnUsage(context, date, summaries));
  return { taken, summaries, verdicts };
}

/** Answers to queries that are asked no more. They go when a day whose every query is answered is asked for anew. */
function withdrawnUsage(
  { wiring }: TenantContext,
  date: IsoDate,
  summaries: ReadonlyMap<string, UsageSummary>,
): GatheredUsage[] {
  const asked = new Set(wiring.usageQueries.map(({ key }) => key));
  if (![...asked].every((key) => summaries.get(key)?.outcome === 'complete')) return [];
  const dropped = [...summaries].filter(
    ([key, { outcome }]) => !asked.has(key) && outcome !== 'not_configured',
  );
  return dropped.map(([queryKey]) => ({ ...NOT_ASKED, date, queryKey, corrects: true }));
}

const NOT_ASKED = {
  totals: { resourceIds: null, identityIds: [], values: [] },
  coverage: { samplesSeen: 0, samplesExpected: 0 },
  outcome: 'not_configured',
  problems: [],
} as const satisfies Partial<GatheredUsage>;

/** An answer beside the stored one. */
interface Answer {
  readonly day: UsageDay;
  readonly stored: UsageSummary | undefined;
  /** Of what is asked now. */
  readonly definition: string;
}

/**
 * Whether somebody whom only the stored answer named was never there: it answers another question, or the whole of it was
 * asked for anew. An answer to the same question that has less, or other gaps, says nothing of who exists.
 */
function isCorrection({ regather }: TenantContext, { day, stored, definition }: Answer): boolean {
  if (stored === undefined) return false;
  return stored.definition !== definition || (regather && day.outcome === 'complete');
}

/** A query that only asks who exists is whole with one instant: a later answer adds names, it takes none away. */
async function withStoredNames(
  context: TenantContext,
  { day, stored, definition }: Answer,
): Promise<UsageDay> {
  if (!context.wiring.asksWhoExists(day.queryKey) || stored?.definition !== definition) return day;
  const before = (await context.store.loadUsage(day.date)).get(day.queryKey);
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

/** Who is seen in a day's metrics, but for names whose sighting could add nothing. */
function newlyObserved(context: TenantContext, { gathered, date, usage }: UsageToSave): Identity[] {
  const { recorded, ending } = gathered.sightings;
  const describe = context.ecosystem.identityFromUsage?.bind(context.ecosystem);
  if (!describe) return [];
  const names = new Set<string>();
  for (const { queryKey, totals } of usage) {
    if (!context.wiring.namesIdentities(queryKey)) continue;
    for (const name of totals.identityIds) {
      if (ending.has(name) || !((recorded.get(name) ?? '9999') <= date)) names.add(name);
    }
  }
  return [...names].map((name) => describe(name));
}
