import {
  type BillingBatch,
  ChargebackError,
  dayWindow,
  daysOf,
  describeCause,
  type IsoDate,
  isoDateOf,
  makeProblem,
  type Problem,
  type UsageDay,
  type Window,
} from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import { gatherInventory } from './gather-inventory.ts';
import type { ProgressEvent } from './progress.ts';
import { refreshDescriptions } from './refresh-descriptions.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import { saveGathered } from './save-gathered.ts';
import { silenceOf } from './silence.ts';
import type { TenantContext } from './tenant-context.ts';
import { usageToAsk, type UsageQuestion } from './usage-to-ask.ts';

/** Days asked for in one go: bounds what is held in memory between source and database. */
const SPAN_DAYS = 31;
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
  readonly problems: Problem[];
  readonly observed: Set<string>;
  /** Spans that the source answered, and what the last one that it did not answer said. */
  answers: number;
  failure: unknown;
}

/**
 * Stores the inputs of every day that needs it. A span that fails is a problem of its days; what was stored
 * before stays. Nothing here is inside a database transaction.
 */
export async function gather(context: TenantContext): Promise<GatherResult> {
  const problems: Problem[] = [];
  const states = new Map(
    (await context.store.dateStates(context.window)).map((state) => [state.date, state]),
  );
  const dates = daysOf(context.window).filter((date) => needsGathering(context, states.get(date)));
  const listed = dates.length > 0 || (await needsInventory(context));
  if (listed) await gatherInventory(context, problems);
  const progress: Progress = { states, problems, observed: new Set(), answers: 0, failure: null };
  let done = 0;
  let datesGathered = 0;
  for (const span of spansOf(dates)) {
    context.signal.throwIfAborted();
    report(context, { done, total: dates.length, date: span[0] ?? null });
    datesGathered += await gatherSpan(context, progress, span);
    done += span.length;
    report(context, { done, total: dates.length, date: span.at(-1) ?? null });
  }
  await refreshDescriptions(context);
  // Problems without a day are replaced as a whole, those of days day by day.
  const dated = problems.filter(({ date }) => date !== null);
  if (listed) {
    const undated = problems.filter(({ date }) => date === null);
    await context.store.saveProblems('gather', [], undated);
  }
  // An empty list of days would mean the problems without a day.
  if (dates.length > 0) await context.store.saveProblems('gather', dates, dated);
  context.problems.push(...problems);
  return { datesGathered, failure: progress.answers > 0 ? null : progress.failure };
}

/** Within the gap a vendor's listings are left alone too, unless one of them failed. */
async function needsInventory({ ecosystem, regather, store, window }: TenantContext): Promise<boolean> {
  if (regather || ecosystem.regather === 'until_complete') return true;
  return (await store.problems(window)).some(({ severity, date }) => severity === 'error' && date === null);
}

function report(context: TenantContext, at: Pick<ProgressEvent, 'done' | 'total' | 'date'>): void {
  context.onProgress({ tenant: context.name, stage: 'gather', ...at });
}

function needsGathering(context: TenantContext, state: DateState | undefined): boolean {
  if (context.regather || !state?.complete) return true;
  if (state.gatherFingerprint !== context.gatherFingerprint) return true;
  if (context.ecosystem.regather === 'until_complete') return false;
  const age = context.clock().getTime() - state.gatheredAt.getTime();
  return age < 0 || age >= context.settings.min_refresh_gap_seconds * 1000;
}

/** Runs of consecutive days, none longer than {@link SPAN_DAYS}. */
function spansOf(dates: readonly IsoDate[]): IsoDate[][] {
  const spans: IsoDate[][] = [];
  for (const date of dates) {
    const current = spans.at(-1);
    const last = current?.at(-1);
    if (current && last && current.length < SPAN_DAYS && isoDateOf(dayWindow(last).end) === date)
      current.push(date);
    else spans.push([date]);
  }
  return spans;
}

/** Asks for a span as a whole; a span that fails is asked for day by day, so that one bad day stays one. */
async function gatherSpan(
  context: TenantContext,
  progress: Progress,
  span: readonly IsoDate[],
): Promise<number> {
  const window: Window = { start: dayWindow(span[0]!).start, end: dayWindow(span.at(-1)!).end };
  const usage = new Map<IsoDate, UsageDay[]>(span.map((date) => [date, []]));
  const batches: BillingBatch[] = [];
  try {
    // Both ask the network: side by side, each within its own limits.
    await Promise.all([
      collectUsage(context, await usageToAsk(context, progress.states, span), usage),
      collectBilling(context, window, batches),
    ]);
  } catch (cause) {
    rethrowFatal(context, cause);
    if (span.length > 1) return gatherDayByDay(context, progress, span);
    progress.failure = cause;
    progress.problems.push(notGathered(span[0]!, cause));
    return 0;
  }
  const silence = silenceOf(context.ecosystem.regather, { batches, usage });
  if (silence === null) progress.answers += 1;
  else progress.failure = silence;
  return saveGathered(context, { ...progress, span, batches, usage });
}

/** A source that is down is not asked for every day. */
async function gatherDayByDay(
  context: TenantContext,
  progress: Progress,
  span: readonly IsoDate[],
): Promise<number> {
  let gathered = 0;
  for (const [index, date] of span.entries()) {
    gathered += await gatherSpan(context, progress, [date]);
    if (gathered > 0 || index + 1 < FAILURES_AT_FIRST) continue;
    for (const left of span.slice(index + 1)) progress.problems.push(notGathered(left, progress.failure));
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
