import { setImmediate } from 'node:timers/promises';
import {
  ChargebackError,
  describeCause,
  type IsoDate,
  makeProblem,
  type Problem,
} from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import {
  calculateStored,
  DAYS_AT_ONCE,
  type DaySummary,
  idOf,
  isSettled,
  nameOf,
  sameAttempts,
  saveCalculated,
  summaryOf,
  timelineOf,
} from './calculate-stored.ts';
import { inOrder } from './in-order.ts';
import type { InventoryTimeline } from './inventory-timeline.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import type { TenantContext } from './tenant-context.ts';

export interface CalculateResult {
  readonly datesCalculated: number;
  readonly datesUnchanged: number;
  readonly datesHeld: number;
  readonly rowsWritten: number;
}

/**
 * Calculates the days whose inputs or settings changed since their last calculation, and those that are
 * held. Each day is one transaction; a day never waits for another.
 * @param ahead what was calculated before, while others were gathered.
 */
export async function calculate(
  context: TenantContext,
  ahead: ReadonlyMap<IsoDate, DaySummary>,
): Promise<CalculateResult> {
  const states = await context.store.dateStates(context.window);
  const timeline = await timelineOf(context);
  const result = { datesCalculated: 0, datesUnchanged: 0, datesHeld: 0, rowsWritten: 0 };
  const calculating = inOrder(states, DAYS_AT_ONCE, async (state) => {
    // Signals, timers and the lease get their turn: a day may be one long step.
    await setImmediate();
    context.signal.throwIfAborted();
    return { date: state.date, outcome: await calculateGuarded(context, state, timeline) };
  });
  let done = 0;
  for await (const { date, outcome } of calculating) {
    const day = outcome === 'unchanged' ? ahead.get(date) : outcome;
    context.problems.push(...(day?.problems ?? []));
    count(result, day);
    done += 1;
    context.onProgress({ tenant: context.name, stage: 'calculate', done, total: states.length, date });
  }
  if (states.some(({ provisional }) => provisional)) await context.store.confirmCalculations(context.runId);
  return result;
}

/** A day that could not be calculated: it keeps what it has. */
interface FailedDay {
  readonly failed: true;
  readonly problems: readonly Problem[];
}

type Outcome = DaySummary | FailedDay | 'unchanged';

/** @param day undefined: nothing had to be done. */
function count(
  result: { -readonly [Key in keyof CalculateResult]: number },
  day: DaySummary | FailedDay | undefined,
): void {
  if (day === undefined) result.datesUnchanged += 1;
  if (day === undefined || 'failed' in day) return;
  if (day.held) result.datesHeld += 1;
  else result.datesCalculated += 1;
  result.rowsWritten += day.rows;
}

/** A day that cannot be calculated keeps the rows it has and does not hold up the days after it. */
async function calculateGuarded(
  context: TenantContext,
  state: DateState,
  timeline: InventoryTimeline,
): Promise<Outcome> {
  try {
    return await calculateState(context, state, timeline);
  } catch (cause) {
    rethrowFatal(context, cause);
    const coded = ChargebackError.isInstance(cause) ? cause : null;
    const message = `${state.date}: ${describeCause(cause)}`;
    const problem = makeProblem(coded?.code ?? 'CB_INTERNAL', message, {
      severity: 'error',
      date: state.date,
      ...(coded ? { fix: coded.fix } : {}),
    });
    await context.store.saveProblems('calculate', [state.date], [problem]);
    return { failed: true, problems: [problem] };
  }
}

async function calculateState(
  context: TenantContext,
  state: DateState,
  timeline: InventoryTimeline,
): Promise<DaySummary | 'unchanged'> {
  const calculated = await calculateStored(context, state, timeline);
  if (!calculated) return 'unchanged';
  const { day, result, fingerprint } = calculated;
  if (isSettled(context, state) && state.calculationFingerprint === fingerprint) return 'unchanged';
  const isSame =
    state.state === nameOf(result) &&
    state.calculationFingerprint === fingerprint &&
    state.calculationId === idOf(calculated) &&
    sameAttempts(day, result);
  if (isSame) return { ...summaryOf(result), rows: 0 };
  await saveCalculated(context, state, calculated);
  return summaryOf(result);
}
