import {
  type BillingBatch,
  ChargebackError,
  dayWindow,
  describeCause,
  type IsoDate,
  makeProblem,
  type Problem,
  type UsageDay,
  type Window,
} from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import { gatherInventory } from './gather-inventory.ts';
import { daysToGather, SpanWalk } from './gather-plan.ts';
import type { ProgressEvent } from './progress.ts';
import { refreshDescriptions } from './refresh-descriptions.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import { reviewSightings } from './review-sightings.ts';
import { type GatheredSpan, saveGathered, saveUsageAlone, type Sightings } from './save-gathered.ts';
import { silenceOf } from './silence.ts';
import type { TenantContext } from './tenant-context.ts';
import { LATE, type TimeShare } from './time-share.ts';
import { usageToAsk, type UsageQuestion } from './usage-to-ask.ts';

/** Days asked for singly, the first of their span, that may all fail before the rest is left for the next run. */
const FAILURES_AT_FIRST = 7;

/** What says that a day could not be asked for, and nothing of its inputs. */
const UNANSWERED = ['CB_BILLING_GATHER', 'CB_RUN_TIMEOUT'] as const;

export interface GatherResult {
  readonly datesGathered: number;
  /** Why nothing at all came from the source although something was asked; null when something did. */
  readonly failure: unknown;
}

/** What a gather has come to so far. */
interface Progress {
  readonly states: ReadonlyMap<IsoDate, DateState>;
  sightings: Sightings;
  /** Whether the inventory was listed or the source asked. */
  asked: boolean;
  /** Days whose inputs were written. */
  readonly gathered: Set<IsoDate>;
  /** Day and usage query, of what the source was asked for and answered. */
  readonly answered: Set<string>;
  /** Spans that the source answered, and what the last one that it did not answer said. */
  answers: number;
  failure: unknown;
  /** Those of no day, replaced as a whole in the end. */
  readonly undated: Problem[];
}

/**
 * Stores the inputs of every day that needs it. A span that fails is a problem of its days; what was stored
 * before stays. Nothing here is inside a database transaction.
 * @param time for it: what is not gathered when it is over waits for the next run.
 */
export async function gather(run: TenantContext, time: TimeShare): Promise<GatherResult> {
  const states = new Map((await run.store.dateStates(run.window)).map((state) => [state.date, state]));
  const known = await run.store.problems(run.window);
  const dates = daysToGather(run, states, hungDays(known));
  const progress: Progress = {
    states,
    sightings: { recorded: new Map(), ending: new Set() },
    asked: false,
    gathered: new Set(),
    answered: new Set(),
    answers: 0,
    failure: null,
    undated: [],
  };
  try {
    await gatherAll({ run, time, progress }, { dates, known });
  } catch (cause) {
    if (!time.isOver) throw cause;
    const late = lateProblem(progress.gathered.size, dates.length);
    progress.undated.push(late);
    progress.failure ??= late.message;
  }
  await reviewSightings(run);
  await refreshDescriptions(run);
  run.problems.push(...progress.undated);
  if (progress.asked) await run.store.saveProblems('gather', [], progress.undated);
  await forgetErrors(run, states, { dates, known });
  return {
    datesGathered: progress.gathered.size,
    failure: progress.answers > 0 ? null : progress.failure,
  };
}

interface Asked {
  readonly dates: readonly IsoDate[];
  /** The problems that were open before. */
  readonly known: readonly Problem[];
}

/** Days that were asked for by themselves and did not answer in time. */
function hungDays(known: readonly Problem[]): ReadonlySet<IsoDate> {
  return new Set(
    known.flatMap(({ code, date }) => (code === 'CB_RUN_TIMEOUT' && date !== null ? [date] : [])),
  );
}

function lateProblem(gathered: number, asked: number): Problem {
  const message = `gathering stopped after ${gathered} of ${asked} days, so that what is stored can be calculated in time; the next run goes on`;
  return makeProblem('CB_RUN_TIMEOUT', message, { severity: 'error' });
}

/** What went wrong when a day was asked that is complete and need not be asked any more. */
async function forgetErrors(
  { store, gatherFingerprint }: TenantContext,
  states: ReadonlyMap<IsoDate, DateState>,
  { dates, known }: Asked,
): Promise<void> {
  const rest = new Set(states.keys());
  for (const date of dates) rest.delete(date);
  const wrong = new Set<IsoDate>();
  for (const { severity, date } of known) {
    if (severity === 'error' && date !== null && rest.has(date)) wrong.add(date);
  }
  const settled = [...wrong].filter((date) => {
    const state = states.get(date)!;
    return state.complete && state.gatherFingerprint === gatherFingerprint;
  });
  if (settled.length > 0) await store.forgetErrors('gather', settled, UNANSWERED);
}

interface GatherWork {
  /** Its signal knows of no time for gathering. */
  readonly run: TenantContext;
  readonly time: TimeShare;
  readonly progress: Progress;
}

async function gatherAll({ run, time, progress }: GatherWork, { dates, known }: Asked): Promise<void> {
  const total = dates.length;
  progress.asked = total > 0 || needsInventory(run, known);
  if (progress.asked) {
    const listed = await time.half((signal) => gatherInventory({ ...run, signal }, progress.undated));
    if (listed === LATE) progress.undated.push(lateListing());
  }
  if (total === 0) return;
  progress.sightings = { ...progress.sightings, ending: await endingIdentities(run) };
  const walk = new SpanWalk(dates, { careful: await wasTooSlow(run) });
  let done = 0;
  for (let span = walk.current(); span.length > 0; span = walk.current()) {
    time.signal.throwIfAborted();
    report(run, { done, total, date: span[0]! });
    const outcome = await gatherInTime({ run, time, progress }, span);
    if (outcome === 'too much') {
      walk.shrink();
      continue;
    }
    walk.advance({ hung: outcome === 'hung' });
    done += span.length;
    report(run, { done, total, date: span.at(-1)! });
  }
}

function lateListing(): Problem {
  const message = 'the listings of resources and identities did not end in time; what was known stays';
  return makeProblem('CB_INVENTORY_GATHER', message, { severity: 'error' });
}

/** Whether the run before this one had too little time. */
async function wasTooSlow({ store, runId }: TenantContext): Promise<boolean> {
  const before = (await store.runs(2)).find((record) => record.runId !== runId);
  return before?.status === 'timed_out';
}

/** `too much`: the span took more time than there is and is to be asked for in smaller ones. `hung`: so did a day. */
async function gatherInTime(
  { run, time, progress }: GatherWork,
  span: readonly IsoDate[],
): Promise<'done' | 'hung' | 'too much'> {
  const problems: Problem[] = [];
  let hung = false;
  const save = async (dates: readonly IsoDate[]): Promise<void> => {
    const inside = new Set<IsoDate | null>(span);
    const dated = distinct(problems).filter(({ date }) => inside.has(date));
    progress.undated.push(...problems.filter(({ date }) => !inside.has(date)));
    run.problems.push(...dated);
    const standing = await standingProblems(run, progress, dates);
    if (dates.length > 0) await run.store.saveProblems('gather', dates, distinct([...standing, ...dated]));
  };
  try {
    const work = (signal: AbortSignal) => gatherSpan({ ...run, signal }, { progress, problems, run }, span);
    if ((await time.half(work)) === LATE) {
      if (span.length > 1) {
        // Of what is stored already nobody else will tell.
        await keepWarnings(run, problems);
        progress.answered.clear();
        return 'too much';
      }
      hung = true;
      const message = `${span[0]}: the source did not answer in time`;
      progress.failure = message;
      problems.push({ ...makeProblem('CB_RUN_TIMEOUT', message, { severity: 'error' }), date: span[0]! });
    }
  } catch (cause) {
    // What is known of the days that were asked counts, also when the time is over.
    const told = new Set(problems.map(({ date }) => date));
    if (time.isOver) await save(span.filter((date) => told.has(date) || progress.gathered.has(date)));
    throw cause;
  }
  await save(span);
  return hung ? 'hung' : 'done';
}

async function keepWarnings(run: TenantContext, problems: readonly Problem[]): Promise<void> {
  const warnings = distinct(problems).filter(({ severity, date }) => severity === 'warning' && date !== null);
  run.problems.push(...warnings);
  const dates = new Set(warnings.map(({ date }) => date!));
  if (dates.size > 0) await run.store.saveProblems('gather', [...dates], warnings);
}

/** What an earlier run told of stored usage that was not asked for again: it is still so. */
async function standingProblems(
  { store, window, wiring }: TenantContext,
  { answered }: Progress,
  dates: readonly IsoDate[],
): Promise<Problem[]> {
  const asked = new Set<IsoDate | null>(dates);
  const queries = new Set<string | null>(wiring.usageQueries.map(({ key }) => key));
  return (await store.problems(window)).filter(
    ({ code, path, date }) =>
      code.startsWith('CB_METRICS_') &&
      queries.has(path) &&
      asked.has(date) &&
      !answered.has(JSON.stringify([date, path])),
  );
}

/** A day that is asked for again by itself may say the same again. */
function distinct(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}

/** Within the gap a vendor's listings are left alone too, unless one of them failed. */
function needsInventory({ ecosystem, regather }: TenantContext, known: readonly Problem[]): boolean {
  if (regather || ecosystem.regather === 'until_complete') return true;
  return known.some(({ severity, date }) => severity === 'error' && date === null);
}

async function endingIdentities({ ecosystem, store, window }: TenantContext): Promise<ReadonlySet<string>> {
  if (!ecosystem.identityFromUsage) return new Set();
  const { identities } = await store.loadLifetimes(window);
  const ending = identities.filter(({ deletedAt }) => deletedAt !== null);
  return new Set(ending.map(({ identityId }) => identityId));
}

function report(context: TenantContext, at: Pick<ProgressEvent, 'done' | 'total' | 'date'>): void {
  context.onProgress({ tenant: context.name, stage: 'gather', ...at });
}

interface SpanWork {
  readonly progress: Progress;
  readonly problems: Problem[];
  /** What is known when the time of a span is over is written all the same. */
  readonly run: TenantContext;
}

/** Asks for a span as a whole; a span that fails is asked for day by day, so that one bad day stays one. */
async function gatherSpan(context: TenantContext, work: SpanWork, span: readonly IsoDate[]): Promise<void> {
  const { progress, problems, run } = work;
  const window: Window = { start: dayWindow(span[0]!).start, end: dayWindow(span.at(-1)!).end };
  const usage = new Map<IsoDate, UsageDay[]>(span.map((date) => [date, []]));
  const batches: BillingBatch[] = [];
  // Both ask the network: side by side, each within its own limits.
  const [measured, billed] = await Promise.allSettled([
    collectUsage(context, await usageToAsk(context, span), usage),
    collectBilling(context, window, batches),
  ]);
  for (const days of usage.values()) {
    for (const { date, queryKey } of days) progress.answered.add(JSON.stringify([date, queryKey]));
  }
  const onSaved = (date: IsoDate): void => void progress.gathered.add(date);
  const gathered: GatheredSpan = { ...progress, problems, span, batches, usage, onSaved };
  // A plugin that ends early when it is told to stop has not told all of its bill.
  if (measured.status === 'fulfilled' && billed.status === 'fulfilled' && !context.signal.aborted) {
    const silence = silenceOf(context.ecosystem.regather, gathered);
    if (silence === null) progress.answers += 1;
    else progress.failure = silence;
    await saveGathered(run, gathered);
    return;
  }
  run.signal.throwIfAborted();
  // What was measured is not asked again when the bill is.
  if (measured.status === 'fulfilled') await saveUsageAlone(run, { ...gathered, batches: [] });
  context.signal.throwIfAborted();
  const failures = [measured, billed].filter((result) => result.status === 'rejected');
  for (const { reason } of failures) rethrowFatal(context, reason);
  if (span.length > 1) return gatherDayByDay(context, work, span);
  progress.failure = failures[0]!.reason;
  problems.push(notGathered(span[0]!, progress.failure));
}

/** A source that is down is not asked for every day. */
async function gatherDayByDay(
  context: TenantContext,
  work: SpanWork,
  span: readonly IsoDate[],
): Promise<void> {
  const { gathered } = work.progress;
  for (const [index, date] of span.entries()) {
    context.signal.throwIfAborted();
    await gatherSpan(context, work, [date]);
    if (index + 1 < FAILURES_AT_FIRST || span.some((asked) => gathered.has(asked))) continue;
    for (const left of span.slice(index + 1)) work.problems.push(notGathered(left, work.progress.failure));
    break;
  }
}

function notGathered(date: IsoDate, cause: unknown): Problem {
  const fix = ChargebackError.isInstance(cause) ? { fix: cause.fix } : {};
  return makeProblem('CB_BILLING_GATHER', `${date}: ${describeCause(cause)}`, {
    severity: 'error',
    date,
    ...fix,
  });
}

async function collectUsage(
  context: TenantContext,
  questions: readonly UsageQuestion[],
  usage: Map<IsoDate, UsageDay[]>,
): Promise<void> {
  const { metrics } = context.ecosystem;
  if (!metrics) return;
  for (const { queries, window } of questions) {
    for await (const day of metrics.usage(queries, window, context.signal)) usage.get(day.date)?.push(day);
  }
}

async function collectBilling(
  context: TenantContext,
  window: Window,
  batches: BillingBatch[],
): Promise<void> {
  for await (const batch of context.ecosystem.billing(window, context.signal)) {
    if (batch.window.start < window.start || batch.window.end > window.end) {
      throw new ChargebackError(
        'CB_LINE_INVALID',
        'the plugin yielded a batch outside the window it was asked for',
      );
    }
    batches.push(batch);
  }
}
