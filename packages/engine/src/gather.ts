import {
  type BillingBatch,
  ChargebackError,
  dayWindow,
  daysOf,
  describeCause,
  type IdentityBatch,
  type IsoDate,
  isoDateOf,
  type ListingBatch,
  makeProblem,
  type Problem,
  type ResourceBatch,
  type UsageDay,
  type Window,
} from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import { refreshDescriptions } from './observe-identities.ts';
import { saveGathered } from './save-gathered.ts';
import type { TenantContext } from './tenant-context.ts';

/** Days asked for in one go: bounds what is held in memory between source and database. */
const SPAN_DAYS = 31;

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
  for (const span of spansOf(dates)) {
    context.signal.throwIfAborted();
    context.onProgress({
      tenant: context.name,
      stage: 'gather',
      done,
      total: dates.length,
      date: span[0] ?? null,
    });
    gathered += await gatherSpan(context, { span, states, problems });
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
  return context.ecosystem.regather === 'always' || needsUsage(context, state);
}

/** A restated bill says nothing new about usage: what is stored whole is not asked for again. */
function needsUsage(context: TenantContext, state: DateState | undefined): boolean {
  if (context.regather || !state?.complete) return true;
  return state.gatherFingerprint !== context.gatherFingerprint;
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
    const save = async (batch: IdentityBatch) => {
      await store.saveIdentities(batch, context.clock());
      if (batch.mentioned) await store.observeIdentities(batch.mentioned, context.window.start);
    };
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

async function gatherListing<Batch extends ListingBatch>(
  context: TenantContext,
  listing: Listing<Batch>,
): Promise<void> {
  try {
    for await (const batch of listing.batches) {
      await listing.save(batch);
      listing.problems.push(...(batch.problems ?? []));
    }
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
}

async function gatherSpan(context: TenantContext, { span, states, problems }: Span): Promise<number> {
  const window: Window = { start: dayWindow(span[0]!).start, end: dayWindow(span.at(-1)!).end };
  const usage = new Map<IsoDate, UsageDay[]>(span.map((date) => [date, []]));
  const batches: BillingBatch[] = [];
  try {
    // Both ask the network: side by side, each within its own limits.
    await Promise.all([collectUsage(context, usage, states), collectBilling(context, window, batches)]);
  } catch (cause) {
    rethrowFatal(context, cause);
    const message = `${span[0]} to ${span.at(-1)}: ${describeCause(cause)}`;
    for (const date of span)
      problems.push(makeProblem('CB_BILLING_GATHER', message, { severity: 'error', date }));
    return 0;
  }
  return saveGathered(context, { span, states, problems, batches, usage });
}

async function collectUsage(
  context: TenantContext,
  usage: Map<IsoDate, UsageDay[]>,
  states: ReadonlyMap<IsoDate, DateState>,
): Promise<void> {
  const { ecosystem, wiring, signal } = context;
  if (!ecosystem.metrics || wiring.usageQueries.length === 0) return;
  const wanted = [...usage.keys()].filter((date) => needsUsage(context, states.get(date)));
  for (const days of spansOf(wanted)) {
    const window: Window = { start: dayWindow(days[0]!).start, end: dayWindow(days.at(-1)!).end };
    for await (const day of ecosystem.metrics.usage(wiring.usageQueries, window, signal)) {
      usage.get(day.date)?.push(day);
    }
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

/** An abort, and a failure of our own database, end the stage; everything else stays small. */
export function rethrowFatal(context: TenantContext, cause: unknown): void {
  context.signal.throwIfAborted();
  if (ChargebackError.isInstance(cause) && cause.code.startsWith('CB_STORAGE_')) throw cause;
}
