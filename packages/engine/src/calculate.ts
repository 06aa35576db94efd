import { setImmediate } from 'node:timers/promises';
import { ChargebackError, describeCause, type IsoDate, makeProblem } from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import {
  calculateStored,
  type DaySummary,
  idOf,
  isSettled,
  nameOf,
  sameAttempts,
  saveCalculated,
  summaryOf,
  timelineOf,
} from './calculate-stored.ts';
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
  for (const [index, state] of states.entries()) {
    // Signals, timers and the lease get their turn: a day may be one long step.
    await setImmediate();
    context.signal.throwIfAborted();
    const outcome = await calculateGuarded(context, state, timeline);
    const before = outcome === 'unchanged' ? ahead.get(state.date) : undefined;
    context.problems.push(...(before?.problems ?? []));
    count(result, before ?? outcome);
    context.onProgress({
      tenant: context.name,
      stage: 'calculate',
      done: index + 1,
      total: states.length,
      date: state.date,
    });
  }
  if (states.some(({ provisional }) => provisional)) await context.store.confirmCalculations(context.runId);
  return result;
}

type Outcome = DaySummary | 'unchanged' | 'failed';

function count(result: { -readonly [Key in keyof CalculateResult]: number }, outcome: Outcome): void {
  if (outcome === 'unchanged') result.datesUnchanged += 1;
  if (typeof outcome === 'string') return;
  if (outcome.held) result.datesHeld += 1;
  else result.datesCalculated += 1;
  result.rowsWritten += outcome.rows;
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
    context.problems.push(problem);
    await context.store.saveProblems('calculate', [state.date], [problem]);
    return 'failed';
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
  context.problems.push(...result.problems);
  const isSame =
    state.state === nameOf(result) &&
    state.calculationFingerprint === fingerprint &&
    state.calculationId === idOf(calculated) &&
    sameAttempts(day, result);
  if (isSame) return { ...summaryOf(result), rows: 0 };
  await saveCalculated(context, state, calculated);
  return summaryOf(result);
}
