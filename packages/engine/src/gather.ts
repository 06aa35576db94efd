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
import { spansToGather } from './gather-plan.ts';
import type { ProgressEvent } from './progress.ts';
import { refreshDescriptions } from './refresh-descriptions.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import { type GatheredSpan, saveGathered, saveUsageAlone, type Sightings } from './save-gathered.ts';
import { silenceOf } from './silence.ts';
import type { TenantContext } from './tenant-context.ts';
import { usageToAsk, type UsageQuestion } from './usage-to-ask.ts';

/** Days asked for singly, the first of their span, that may all fail before the rest is left for the next run. */
const FAILURES_AT_FIRST = 7;

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
  datesGathered: number;
  /** Spans that the source answered, and what the last one that it did not answer said. */
  answers: number;
  failure: unknown;
  /** Those of no day, replaced as a whole in the end. */
  readonly undated: Problem[];
}

/**
 * Stores the inputs of every day that needs it. A span that fails is a problem of its days; what was stored
 * before stays. Nothing here is inside a database transaction.
 * @param deadline aborts when the rest has to wait for the next run: what is stored by then is still calculated.
 */
export async function gather(run: TenantContext, deadline: AbortSignal): Promise<GatherResult> {
  const context: TenantContext = { ...run, signal: AbortSignal.any([run.signal, deadline]) };
  const states = new Map((await run.store.dateStates(run.window)).map((state) => [state.date, state]));
  const spans = spansToGather(run, states);
  const progress: Progress = {
    states,
    sightings: { recorded: new Set(), ending: new Set() },
    asked: false,
    datesGathered: 0,
    answers: 0,
    failure: null,
    undated: [],
  };
  try {
    await gatherAll(context, progress, spans);
  } catch (cause) {
    if (run.signal.aborted || !deadline.aborted) throw cause;
    const late = lateProblem(progress, spans);
    run.problems.push(late);
    progress.failure ??= late.message;
  }
  await refreshDescriptions(run);
  run.problems.push(...progress.undated);
  if (progress.asked) await run.store.saveProblems('gather', [], progress.undated);
  return {
    datesGathered: progress.datesGathered,
    failure: progress.answers > 0 ? null : progress.failure,
  };
}

type Spans = readonly (readonly IsoDate[])[];

function lateProblem({ datesGathered }: Progress, spans: Spans): Problem {
  const message = `gathering stopped after ${datesGathered} of ${countDays(spans)} days, so that what is stored can be calculated in time; the next run goes on`;
  return makeProblem('CB_RUN_TIMEOUT', message, { severity: 'error' });
}

function countDays(spans: Spans): number {
  return spans.reduce((sum, { length }) => sum + length, 0);
}

async function gatherAll(context: TenantContext, progress: Progress, spans: Spans): Promise<void> {
  const total = countDays(spans);
  progress.asked = total > 0 || (await needsInventory(context));
  if (progress.asked) await gatherInventory(context, progress.undated);
  if (total === 0) return;
  progress.sightings = { ...progress.sightings, ending: await endingIdentities(context) };
  let done = 0;
  for (const span of spans) {
    context.signal.throwIfAborted();
    report(context, { done, total, date: span[0]! });
    const problems: Problem[] = [];
    progress.datesGathered += await gatherSpan(context, { progress, problems }, span);
    const inside = new Set<IsoDate | null>(span);
    const dated = distinct(problems).filter(({ date }) => inside.has(date));
    progress.undated.push(...problems.filter(({ date }) => !inside.has(date)));
    context.problems.push(...dated);
    await context.store.saveProblems('gather', span, dated);
    done += span.length;
    report(context, { done, total, date: span.at(-1)! });
  }
}

/** A day that is asked for again by itself may say the same again. */
function distinct(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}

/** Within the gap a vendor's listings are left alone too, unless one of them failed. */
async function needsInventory({ ecosystem, regather, store, window }: TenantContext): Promise<boolean> {
  if (regather || ecosystem.regather === 'until_complete') return true;
  return (await store.problems(window)).some(({ severity, date }) => severity === 'error' && date === null);
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
}

/** Asks for a span as a whole; a span that fails is asked for day by day, so that one bad day stays one. */
async function gatherSpan(context: TenantContext, work: SpanWork, span: readonly IsoDate[]): Promise<number> {
  const { progress, problems } = work;
  const window: Window = { start: dayWindow(span[0]!).start, end: dayWindow(span.at(-1)!).end };
  const usage = new Map<IsoDate, UsageDay[]>(span.map((date) => [date, []]));
  const batches: BillingBatch[] = [];
  // Both ask the network: side by side, each within its own limits.
  const [measured, billed] = await Promise.allSettled([
    collectUsage(context, await usageToAsk(context, span), usage),
    collectBilling(context, window, batches),
  ]);
  const gathered: GatheredSpan = { ...progress, problems, span, batches, usage };
  if (measured.status === 'fulfilled' && billed.status === 'fulfilled') {
    const silence = silenceOf(context.ecosystem.regather, gathered);
    if (silence === null) progress.answers += 1;
    else progress.failure = silence;
    return saveGathered(context, gathered);
  }
  const failures = [measured, billed].filter((result) => result.status === 'rejected');
  for (const { reason } of failures) rethrowFatal(context, reason);
  // What was measured is not asked again when the bill is.
  if (measured.status === 'fulfilled') await saveUsageAlone(context, { ...gathered, batches: [] });
  if (span.length > 1) return gatherDayByDay(context, work, span);
  progress.failure = failures[0]!.reason;
  problems.push(notGathered(span[0]!, progress.failure));
  return 0;
}

/** A source that is down is not asked for every day. */
async function gatherDayByDay(
  context: TenantContext,
  work: SpanWork,
  span: readonly IsoDate[],
): Promise<number> {
  let gathered = 0;
  for (const [index, date] of span.entries()) {
    context.signal.throwIfAborted();
    gathered += await gatherSpan(context, work, [date]);
    if (gathered > 0 || index + 1 < FAILURES_AT_FIRST) continue;
    for (const left of span.slice(index + 1)) work.problems.push(notGathered(left, work.progress.failure));
    break;
  }
  return gathered;
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
