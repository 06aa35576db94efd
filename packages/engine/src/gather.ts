import { type IsoDate, makeProblem, type Problem } from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import { UNANSWERED } from './earlier-problems.ts';
import { gatherInventory } from './gather-inventory.ts';
import { daysToGather, SpanWalk } from './gather-plan.ts';
import type { GatherProgress, GatherWork } from './gather-span.ts';
import { gatherSpans, type StoredListener } from './gather-spans.ts';
import { refreshDescriptions } from './refresh-descriptions.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import { reviewSightings } from './review-sightings.ts';
import type { TenantContext } from './tenant-context.ts';
import { LATE, type TimeShare } from './time-share.ts';

export interface GatherResult {
  readonly datesGathered: number;
  /** Why nothing at all came from the source although something was asked; null when something did. */
  readonly failure: unknown;
}

/**
 * Stores the inputs of every day that needs it. A span that fails is a problem of its days; what was stored
 * before stays. Nothing here is inside a database transaction.
 * @param time for it: what is not gathered when it is over waits for the next run.
 * @param onStored hears of what was stored, while the source is asked for more.
 */
export async function gather(
  run: TenantContext,
  time: TimeShare,
  onStored: StoredListener,
): Promise<GatherResult> {
  const states = new Map((await run.store.dateStates(run.window)).map((state) => [state.date, state]));
  const known = await run.store.problems(run.window);
  const dates = daysToGather(run, states, hungDays(known));
  const progress: GatherProgress = {
    states,
    sightings: { recorded: new Map(), ending: new Set() },
    asked: false,
    gathered: new Set(),
    answered: new Map(),
    answers: 0,
    failure: null,
    isDown: false,
    undated: [],
  };
  try {
    await gatherAll({ run, time, progress }, { dates, known }, onStored);
  } catch (cause) {
    rethrowFatal(run, cause);
    if (!time.isOver) throw cause;
    const late = lateProblem(progress.gathered.size, dates.length);
    progress.undated.push(late);
    progress.failure ??= late.message;
  }
  await reviewSightings(run);
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
  if (settled.length > 0) await store.forgetErrors('gather', settled, [...UNANSWERED]);
}

async function gatherAll(work: GatherWork, { dates, known }: Asked, onStored: StoredListener): Promise<void> {
  const { run, time, progress } = work;
  progress.asked = dates.length > 0 || needsInventory(run, known);
  if (progress.asked) {
    const listed = await time.half((signal) => gatherInventory({ ...run, signal }, progress.undated));
    if (listed === LATE) progress.undated.push(lateListing());
  }
  // Before anything is calculated.
  await refreshDescriptions(run);
  if (dates.length === 0) return;
  progress.sightings = { ...progress.sightings, ending: await endingIdentities(run) };
  const walk = new SpanWalk(dates, {
    careful: await wasTooSlow(run),
    isKnown: (date) => progress.states.has(date),
  });
  await gatherSpans(work, walk, onStored);
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
