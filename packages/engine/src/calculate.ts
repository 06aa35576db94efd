import { setImmediate } from 'node:timers/promises';
import {
  ChargebackError,
  dayWindow,
  daysOf,
  describeCause,
  type IsoDate,
  makeProblem,
  MILLISECONDS_PER_DAY,
  type Window,
} from '@chargeback/plugin-api';
import type { DateState, StoredDay, StoredUsage } from '@chargeback/storage';
import { calculateDay, type DayResult } from './calculate-day.ts';
import { digestOf, resultDigest } from './fingerprint.ts';
import { InventoryTimeline, type WindowInventory } from './inventory-timeline.ts';
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
 */
export async function calculate(context: TenantContext): Promise<CalculateResult> {
  const states = await context.store.dateStates(context.window);
  const timeline = new InventoryTimeline(await context.store.loadLifetimes(aroundWindow(context)));
  const result = { datesCalculated: 0, datesUnchanged: 0, datesHeld: 0, rowsWritten: 0 };
  for (const [index, state] of states.entries()) {
    // Signals, timers and the lease get their turn: a day may be one long step.
    await setImmediate();
    context.signal.throwIfAborted();
    count(result, await calculateGuarded(context, state, timeline));
    context.onProgress({
      tenant: context.name,
      stage: 'calculate',
      done: index + 1,
      total: states.length,
      date: state.date,
    });
  }
  return result;
}

type Outcome = DayResult | 'unchanged' | 'failed';

function count(result: { -readonly [Key in keyof CalculateResult]: number }, outcome: Outcome): void {
  if (outcome === 'unchanged') result.datesUnchanged += 1;
  if (typeof outcome === 'string') return;
  if (outcome.held) result.datesHeld += 1;
  else result.datesCalculated += 1;
  for (const { portions } of outcome.lines) {
    for (const { identityIds } of portions) result.rowsWritten += identityIds.length;
  }
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
): Promise<DayResult | 'unchanged'> {
  const base = await baseFingerprint(context, state, timeline);
  const settled = isSettled(context, state);
  if (settled && state.calculationFingerprint === base) return 'unchanged';
  const day = await context.store.loadDay(state.date);
  if (!day) return 'unchanged';
  const loaded = new Map<IsoDate, DayUsage>([[state.date, day.usage]]);
  const windows = new Map<string, WindowInventory>();
  const result = await calculateDay(context, {
    day,
    inventoryOf: (window) => {
      const inventory = timeline.of(window);
      windows.set(`${window.start.toISOString()} ${window.end.toISOString()}`, inventory);
      return inventory;
    },
    lifetimesOf: (resourceId) => timeline.lifetimesOf(resourceId),
    usageOf: (window) => usageOf(context, window, loaded),
  });
  const fingerprint = withOtherWindows(base, { date: state.date, loaded, windows });
  if (settled && state.calculationFingerprint === fingerprint) return 'unchanged';
  context.problems.push(...result.problems);
  const calculationId = resultDigest(state.date, day.lines, result.lines);
  const name = result.held ? 'held' : 'calculated';
  const same = state.state === name && state.calculationFingerprint === fingerprint;
  if (same && state.calculationId === calculationId && sameAttempts(day, result)) {
    return { ...result, lines: [] };
  }
  await context.store.saveCalculatedDay({
    date: state.date,
    state: name,
    calculationFingerprint: fingerprint,
    calculationId,
    calculatedAt: context.clock(),
    runId: context.runId,
    reason: reasonOf(state.calculationFingerprint, fingerprint),
    lines: result.lines,
    problems: result.problems,
  });
  return result;
}

/** A failed allocation may succeed with the same inputs, when what made it fail has been mended. */
function isSettled(context: TenantContext, state: DateState): boolean {
  return state.state === 'calculated' && state.failedLineCount === 0 && !context.recalculate;
}

function sameAttempts(day: StoredDay, { lines }: DayResult): boolean {
  return lines.every(({ lineId, attempts }) => attempts === (day.attempts.get(lineId)?.count ?? 0));
}

/** What a fingerprint is made of, in this order, so that a change can be told from another. */
const PARTS = ['bill or usage', 'inventory', 'settings', 'other days of longer lines'] as const;

function fingerprintOf(parts: readonly string[]): string {
  return parts.map((part) => part.slice(0, 32)).join('.');
}

function reasonOf(before: string | null, after: string): string {
  if (before === null) return 'first calculation';
  const now = after.split('.');
  const changed = PARTS.filter((_part, index) => before.split('.')[index] !== now[index]);
  return changed.length === 0 ? 'tried again' : `changed: ${changed.join(', ')}`;
}

async function baseFingerprint(
  context: TenantContext,
  state: DateState,
  timeline: InventoryTimeline,
): Promise<string> {
  const window = dayWindow(state.date);
  const outside = timeline.outsideDigest(window, await context.store.lineResources(state.date));
  const inventory = digestOf([timeline.of(window).digest, outside]);
  return fingerprintOf([state.inputDigest, inventory, context.allocationFingerprint, '']);
}

/** Longer than any window of a line but those of custom granularities. */
const MONTH = 31 * MILLISECONDS_PER_DAY;

/** The windows of lines reach beyond the run's own. */
function aroundWindow({ window, settings }: TenantContext): Window {
  const hours = Object.values(settings.granularity_durations);
  const margin = Math.max(MONTH, ...hours.map((length) => length * 3_600_000));
  return {
    start: new Date(window.start.getTime() - margin),
    end: new Date(window.end.getTime() + margin),
  };
}

type DayUsage = ReadonlyMap<string, StoredUsage>;

interface OtherWindows {
  readonly date: IsoDate;
  readonly loaded: ReadonlyMap<IsoDate, DayUsage>;
  readonly windows: ReadonlyMap<string, WindowInventory>;
}

/** Lines longer than a day also depend on the usage of other days and on who was there on them. */
function withOtherWindows(base: string, { date, loaded, windows }: OtherWindows): string {
  const { start, end } = dayWindow(date);
  const days = [...loaded]
    .filter(([other]) => other !== date)
    .map(([other, usage]) => `${other} ${usageText(usage)}`);
  const inventories = [...windows]
    .filter(([window]) => window !== `${start.toISOString()} ${end.toISOString()}`)
    .map(([window, { digest }]) => `${window} ${digest}`);
  if (days.length === 0 && inventories.length === 0) return base;
  return base + digestOf([...days.toSorted(), ...inventories.toSorted()]).slice(0, 32);
}

function usageText(usage: DayUsage): string {
  const parts: string[] = [];
  for (const { queryKey, resourceIds, identityIds, values, coverage } of usage.values()) {
    parts.push(JSON.stringify([queryKey, coverage]));
    for (const [index, identityId] of identityIds.entries()) {
      parts.push(JSON.stringify([queryKey, resourceIds?.[index], identityId, values[index]]));
    }
  }
  return digestOf(parts.toSorted());
}

async function usageOf(
  context: TenantContext,
  window: Window,
  loaded: Map<IsoDate, DayUsage>,
): Promise<DayUsage[]> {
  const midnight = Math.floor(window.start.getTime() / MILLISECONDS_PER_DAY) * MILLISECONDS_PER_DAY;
  const usage: DayUsage[] = [];
  for (const date of daysOf({ start: new Date(midnight), end: window.end })) {
    const known = loaded.get(date) ?? (await context.store.loadUsage(date));
    loaded.set(date, known);
    usage.push(known);
  }
  return usage;
}
