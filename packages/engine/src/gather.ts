import {
  type BillingBatch,
  ChargebackError,
  dayWindow,
  daysOf,
  describeCause,
  type IdentityBatch,
  type IsoDate,
  isoDateOf,
  makeProblem,
  type Problem,
  type ResourceBatch,
  type UsageDay,
  type Window,
} from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import { refreshDescriptions } from './refresh-descriptions.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import { saveGathered } from './save-gathered.ts';
import type { TenantContext } from './tenant-context.ts';

/** Days asked for in one go: bounds what is held in memory between source and database. */
const SPAN_DAYS = 31;
/** Days asked for singly that may fail one after another before the rest of their span is left for the next run. */
const FAILURES_IN_A_ROW = 3;

export interface GatherResult {
  readonly datesGathered: number;
}

/**
 * Stores the inputs of every day that needs it. A span that fails is a problem of its days; what was stored
 * before stays. Nothing here is inside a database transaction.
 */
export async function gather(context: TenantContext): Promise<GatherResult> {
  const problems: Problem[] = [];
  await gatherInventory(context, problems);
  const states = new Map(
    (await context.store.dateStates(context.window)).map((state) => [state.date, state]),
  );
  const dates = daysOf(context.window).filter((date) => needsGathering(context, states.get(date)));
  let done = 0;
  let gathered = 0;
  const observed = new Set<string>();
  for (const span of spansOf(dates)) {
    context.signal.throwIfAborted();
    context.onProgress({
      tenant: context.name,
      stage: 'gather',
      done,
      total: dates.length,
      date: span[0] ?? null,
    });
    gathered += await gatherSpan(context, { span, states, problems, observed });
    done += span.length;
    context.onProgress({
      tenant: context.name,
      stage: 'gather',
      done,
      total: dates.length,
      date: span.at(-1) ?? null,
    });
  }
  await refreshDescriptions(context);
  // Problems without a day are replaced as a whole, those of days day by day.
  await context.store.saveProblems(
    'gather',
    [],
    problems.filter(({ date }) => date === null),
  );
  await context.store.saveProblems(
    'gather',
    dates,
    problems.filter(({ date }) => date !== null),
  );
  context.problems.push(...problems);
  return { datesGathered: gathered };
}

function needsGathering(context: TenantContext, state: DateState | undefined): boolean {
  if (context.regather || context.ecosystem.regather === 'always') return true;
  return !state?.complete || state.gatherFingerprint !== context.gatherFingerprint;
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

async function gatherInventory(context: TenantContext, problems: Problem[]): Promise<void> {
  const { ecosystem, store, signal } = context;
  context.onProgress({ tenant: context.name, stage: 'inventory', done: 0, total: 1, date: null });
  if (ecosystem.resources) {
    const save = (batch: ResourceBatch) => store.saveResources(batch, context.clock());
    await gatherListing(context, {
      what: 'resources',
      batches: ecosystem.resources(context.window, signal),
      save,
      problems,
    });
  }
  if (ecosystem.identities) {
    const save = (batch: IdentityBatch) => store.saveIdentities(batch, context.clock());
    await gatherListing(context, {
      what: 'identities',
      batches: ecosystem.identities(context.window, signal),
      save,
      problems,
    });
  }
  context.onProgress({ tenant: context.name, stage: 'inventory', done: 1, total: 1, date: null });
}

interface Listing<Batch> {
  readonly what: string;
  readonly batches: AsyncIterable<Batch>;
  readonly save: (batch: Batch) => Promise<void>;
  readonly problems: Problem[];
}

async function gatherListing<Batch>(context: TenantContext, listing: Listing<Batch>): Promise<void> {
  try {
    for await (const batch of listing.batches) await listing.save(batch);
  } catch (cause) {
    rethrowFatal(context, cause);
    const message = `${listing.what} could not be listed: ${describeCause(cause)}`;
    listing.problems.push(
      makeProblem('CB_INVENTORY_GATHER', message, { severity: 'error', path: listing.what }),
    );
  }
}

interface Span {
  readonly span: readonly IsoDate[];
  readonly states: ReadonlyMap<IsoDate, DateState>;
  readonly problems: Problem[];
  readonly observed: Set<string>;
}

async function gatherSpan(context: TenantContext, work: Span): Promise<number> {
  const { span } = work;
  const window: Window = { start: dayWindow(span[0]!).start, end: dayWindow(span.at(-1)!).end };
  const usage = new Map<IsoDate, UsageDay[]>(span.map((date) => [date, []]));
  const batches: BillingBatch[] = [];
  try {
    // Both ask the network: side by side, each within its own limits.
    await Promise.all([collectUsage(context, window, usage), collectBilling(context, window, batches)]);
  } catch (cause) {
    rethrowFatal(context, cause);
    if (span.length > 1) return gatherDayByDay(context, work);
    work.problems.push(notGathered(span[0]!, cause));
    return 0;
  }
  return saveGathered(context, { ...work, batches, usage });
}

/** One bad day must not cost its siblings. A source that is down is not asked for every day, though. */
async function gatherDayByDay(context: TenantContext, work: Span): Promise<number> {
  let gathered = 0;
  let failures = 0;
  for (const [index, date] of work.span.entries()) {
    const before = work.problems.length;
    const days = await gatherSpan(context, { ...work, span: [date] });
    gathered += days;
    failures = days === 0 ? failures + 1 : 0;
    if (failures < FAILURES_IN_A_ROW) continue;
    const cause = work.problems[before]?.message ?? 'the source failed several times in a row';
    for (const left of work.span.slice(index + 1)) work.problems.push(notGathered(left, cause));
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
  window: Window,
  usage: Map<IsoDate, UsageDay[]>,
): Promise<void> {
  const { ecosystem, wiring, signal } = context;
  if (!ecosystem.metrics || wiring.usageQueries.length === 0) return;
  for await (const day of ecosystem.metrics.usage(wiring.usageQueries, window, signal)) {
    usage.get(day.date)?.push(day);
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
