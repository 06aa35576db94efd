import {
  type IsoDate,
  MILLISECONDS_PER_DAY,
  isoDateOf,
  type Problem,
  startOfDay,
} from '@chargeback/plugin-api';
import type { DateState, EmissionRecord } from '@chargeback/storage';
import type { ConfiguredEmitter } from '../configured-emitter.ts';
import type { TenantContext } from '../tenant-context.ts';
import { batchesOf } from './batches.ts';
import { leftBehindProblem, missingProblem } from './emission-problem.ts';
import {
  byPeriod,
  lengthOf,
  monthOf,
  overlap,
  type Period,
  type PeriodLength,
  periodOf,
  periodWindow,
} from './period.ts';
import { missingDay, type StoredDays } from './stored-days.ts';

export type EmissionRecords = ReadonlyMap<IsoDate, EmissionRecord>;

export interface DuePeriods {
  /** Whole, calculated and to be at the destination; in the order in which they are emitted. */
  readonly periods: readonly Period[];
  /** Periods, by their first day, that retention has closed and that nobody has been told about. */
  readonly closed: readonly IsoDate[];
  readonly problems: readonly Problem[];
}

interface Due {
  readonly context: TenantContext;
  readonly configured: ConfiguredEmitter;
  readonly days: StoredDays;
  readonly records: EmissionRecords;
}

/** Why a period cannot be emitted: null when it can. A wait that others report already has no problem. */
type Obstacle = 'closed' | 'waits' | Problem | null;

/**
 * What one emitter should have at its destination: the periods that the run looks at, and of those before it the ones
 * that were emitted and have changed or failed since. A period waits for its last day.
 */
export function duePeriods(due: Due): DuePeriods {
  const { configured, days, records } = due;
  const length = lengthOf(configured.aggregation);
  const earliest = earliestDay(due);
  const replaced = length === 'day' ? replacedMonths(due) : new Map<IsoDate, Obstacle>();
  const periods: Period[] = [];
  const closed = new Set<IsoDate>();
  const problems = new Map<IsoDate, Problem>();
  for (const [date, states] of byPeriod(days.states, length)) {
    const month = monthOf(date);
    const mayBeLeft = replaced.has(month) || (records.get(date)?.others.length ?? 0) > 0;
    if (states.at(-1)!.date < earliest && !mayBeLeft) continue;
    const obstacle = obstacleOf(due, date, states) ?? replaced.get(month) ?? null;
    if (obstacle === null) {
      const period = periodOf(date, states, configured.aggregation);
      if (replaced.has(month) || isWanted(due, period)) periods.push(period);
    } else if (obstacle === 'closed') {
      const key = replaced.has(month) ? month : date;
      if (mayBeTold(records.get(key), states, length)) closed.add(key);
    } else if (obstacle !== 'waits') problems.set(obstacle.date ?? date, obstacle);
  }
  return {
    // A month that gives way to its days goes last, so that a run that breaks off finds it again.
    periods: periods.toSorted(
      (left, right) => Number(replaced.has(left.date)) - Number(replaced.has(right.date)),
    ),
    closed: [...closed],
    problems: [...problems.values()],
  };
}

function isWanted({ context, configured, records }: Due, { date, window, batchId }: Period): boolean {
  if (overlap(window, context.window)) return true;
  const last = records.get(date);
  const length = lengthOf(configured.aggregation);
  if (!last || last.status === 'withdrawn') return false;
  // What a run that broke off may have left is put in order, whatever the days that are looked at.
  if (last.others.some((other) => lengthOf(other.aggregation) === length)) return true;
  if (lengthOf(last.aggregation) !== length) return false;
  if (last.status === 'failed' || last.status === 'pending') return true;
  return last.status === 'emitted' && last.aggregation === configured.aggregation && last.batchId !== batchId;
}

function obstacleOf(due: Due, date: IsoDate, states: readonly DateState[]): Obstacle {
  const { context, configured, days } = due;
  const length = lengthOf(configured.aggregation);
  // Of a period that retention has begun to remove the emission stays as it is.
  if (date < context.retentionStart) return length === 'month' ? 'closed' : 'waits';
  const waiting = states.filter(({ state }) => state !== 'calculated').map((state) => state.date);
  const leftBehind = waiting.filter((day) => startOfDay(day) < context.lookbackStart);
  if (leftBehind.length > 0) {
    return leftBehindProblem({ configured, tenant: context.name }, date, leftBehind);
  }
  // A period with a held or uncalculated day would show too little: it waits, and its old emission stays.
  if (waiting.length > 0) return 'waits';
  if (length === 'day') return null;
  const period = periodWindow(date, 'month');
  const missing = missingDay(days, states, { period, looked: context.window });
  if (missing === undefined) return null;
  return missing < days.keptFrom ? 'closed' : missingProblem(configured, date, missing);
}

/**
 * Months that were emitted as a whole and now give way to their days, each with what stands against it: all days of
 * such a month are emitted, or none, for else some costs would be at the destination twice.
 */
function replacedMonths(due: Due): Map<IsoDate, Obstacle> {
  const months = new Map<IsoDate, Obstacle>();
  const monthly = { ...due, configured: { ...due.configured, aggregation: 'monthly' as const } };
  const byMonth = byPeriod(due.days.states, 'month');
  for (const record of due.records.values()) {
    if (batchesOf(record).every(({ aggregation }) => aggregation !== 'monthly')) continue;
    const states = byMonth.get(record.period);
    if (!states || !overlap(periodWindow(record.period, 'month'), due.context.window)) continue;
    // Once its first day is there too, nothing is to be gained by holding up the others.
    const isShown = record.aggregation !== 'monthly';
    months.set(record.period, isShown ? null : obstacleOf(monthly, record.period, states));
  }
  return months;
}

/** Whether the last emission lacks something, and nobody was told. */
function mayBeTold(
  last: EmissionRecord | undefined,
  states: readonly DateState[],
  length: PeriodLength,
): boolean {
  if (last?.status === 'closed') return false;
  if (last?.status !== 'emitted' || lengthOf(last.aggregation) !== length) return true;
  return states.some(({ calculatedAt }) => calculatedAt !== null && calculatedAt > last.emittedAt);
}

function earliestDay({ context, configured }: Due): IsoDate {
  if (configured.lookbackDays === null) return '';
  return isoDateOf(new Date(context.clock().getTime() - configured.lookbackDays * MILLISECONDS_PER_DAY));
}
