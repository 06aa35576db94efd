import type { Aggregation, ErrorCode, IsoDate, Problem, Window } from '@chargeback/plugin-api';
import type { Insertable, Kysely, Selectable } from 'kysely';
import {
  dayNumberOf,
  dayRangeOf,
  instantOf,
  isoDateOfDay,
  millisecondsOf,
  nullableInstantOf,
} from '../convert.ts';
import { queryOfRow } from './query-of-row.ts';
import type { EmissionTable, ProblemTable, RunTable, StorageSchema } from '../schema.ts';
import type { EmissionRecord, RecordedBatch, RunRecord, RunStatus } from '../records.ts';

const NOTHING_DONE = {
  datesGathered: 0,
  datesCalculated: 0,
  datesUnchanged: 0,
  datesHeld: 0,
  rowsWritten: 0,
  stages: {},
};

/** A run that has just begun. */
export function startedRun(runId: string, startedAt: Date): RunRecord {
  return { runId, startedAt, endedAt: null, status: 'running', ...NOTHING_DONE };
}

export function saveRunQuery(build: Kysely<StorageSchema>, run: RunRecord) {
  const row: Insertable<RunTable> = {
    run_id: run.runId,
    started_at: run.startedAt.getTime(),
    ended_at: millisecondsOf(run.endedAt),
    status: run.status,
    dates_gathered: run.datesGathered,
    dates_calculated: run.datesCalculated,
    dates_unchanged: run.datesUnchanged,
    dates_held: run.datesHeld,
    rows_written: run.rowsWritten,
    stages: JSON.stringify(run.stages),
  };
  return build
    .insertInto('runs')
    .values(row)
    .onConflict((conflict) => conflict.column('run_id').doUpdateSet(row));
}

export function runsQuery(build: Kysely<StorageSchema>, limit: number) {
  return build
    .selectFrom('runs')
    .selectAll()
    .orderBy('started_at', 'desc')
    .orderBy('run_id', 'desc')
    .limit(limit);
}

export function runOf(row: Selectable<RunTable>): RunRecord {
  return {
    runId: row.run_id,
    startedAt: instantOf(row.started_at),
    endedAt: nullableInstantOf(row.ended_at),
    status: row.status as RunStatus,
    datesGathered: row.dates_gathered,
    datesCalculated: row.dates_calculated,
    datesUnchanged: row.dates_unchanged,
    datesHeld: row.dates_held,
    rowsWritten: row.rows_written,
    stages: JSON.parse(row.stages) as RunRecord['stages'],
  };
}

/** One record per emitter and period: the last one counts. */
export function saveEmissionQuery(build: Kysely<StorageSchema>, record: EmissionRecord) {
  return saveEmissionRow(build, emissionRow(record));
}

export function emissionRow(record: EmissionRecord): EmissionTable {
  return {
    emitter: record.emitter,
    day: dayNumberOf(record.period),
    aggregation: record.aggregation,
    batch_id: record.batchId,
    mark: record.mark,
    others: record.others.length > 0 ? JSON.stringify(record.others) : null,
    status: record.status,
    attempts: record.attempts,
    emitted_at: record.emittedAt.getTime(),
  };
}

const saveEmissionRow = queryOfRow((build, row: EmissionTable) =>
  build
    .insertInto('emissions')
    .values(row)
    .onConflict((conflict) => conflict.columns(['emitter', 'day']).doUpdateSet(row)),
);

/** In order of period. */
export function emissionsQuery(build: Kysely<StorageSchema>, emitter: string) {
  return build.selectFrom('emissions').selectAll().where('emitter', '=', emitter).orderBy('day');
}

export function emissionOf(row: EmissionTable): EmissionRecord {
  return {
    emitter: row.emitter,
    period: isoDateOfDay(row.day),
    aggregation: row.aggregation as Aggregation | null,
    batchId: row.batch_id,
    mark: row.mark,
    others: row.others === null ? [] : (JSON.parse(row.others) as RecordedBatch[]),
    status: row.status as EmissionRecord['status'],
    attempts: row.attempts,
    emittedAt: instantOf(row.emitted_at),
  };
}

export interface ProblemScope {
  readonly stage: 'gather' | 'calculate' | 'emit';
  /** Days whose problems are replaced; when empty, those saved without a day. */
  readonly dates: readonly IsoDate[];
  readonly problems: readonly Problem[];
}

/** Which days' problems are replaced, and where each problem belongs. */
export interface PlacedProblems {
  readonly scopes: ReadonlySet<number | null>;
  readonly rows: readonly Insertable<ProblemTable>[];
}

/**
 * A problem belongs to its own day when that is one of the days named, else to those without a day, which are
 * then replaced as well.
 */
export function placeProblems({ stage, dates, problems }: ProblemScope): PlacedProblems {
  const scopes = new Set<number | null>(dates.length === 0 ? [null] : dates.map(dayNumberOf));
  const rows = problems.map(({ date, code, severity, message, fix, path }) => {
    const day = date === null ? null : dayNumberOf(date);
    const scope = scopes.has(day) ? day : null;
    return { stage, scope_day: scope, day, code, severity, message, fix, path };
  });
  for (const { scope_day } of rows) scopes.add(scope_day);
  return { scopes, rows };
}

/** Those without a day first, then by day. */
export function problemsQuery(build: Kysely<StorageSchema>, window: Window) {
  const { first, end } = dayRangeOf(window);
  return build
    .selectFrom('problems')
    .selectAll()
    .where((where) =>
      where.or([where('day', 'is', null), where.and([where('day', '>=', first), where('day', '<', end)])]),
    )
    .orderBy((order) => order.fn.coalesce('day', order.lit(-100_000_000)))
    .orderBy('problem_key');
}

export function problemOfRow(row: Selectable<ProblemTable>): Problem {
  return {
    code: row.code as ErrorCode,
    severity: row.severity as Problem['severity'],
    message: row.message,
    fix: row.fix,
    path: row.path,
    date: row.day === null ? null : isoDateOfDay(row.day),
  };
}
