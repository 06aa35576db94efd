import type { IsoDate, Window } from '@chargeback/plugin-api';
import type { Kysely, Selectable } from 'kysely';
import { type DayNumber, dayRangeOf, instantOf, isoDateOfDay, nullableInstantOf } from '../convert.ts';
import type { DateStateTable, StorageSchema } from '../schema.ts';
import type { CalculatedDay, CalculatedLine, DateState, DateStateName, GatheredDay } from '../store.ts';
import { queryOfDay } from './query-of-day.ts';
import { queryOfRow } from './query-of-row.ts';

export type DateStateRow = Selectable<DateStateTable>;

export function dateStatesQuery(build: Kysely<StorageSchema>, window: Window) {
  const { first, end } = dayRangeOf(window);
  return build
    .selectFrom('date_states')
    .selectAll()
    .where('day', '>=', first)
    .where('day', '<', end)
    .orderBy('day');
}

export const dateStateQuery = queryOfDay((build, day) =>
  build.selectFrom('date_states').selectAll().where('day', '=', day),
);

export function firstDayQuery(build: Kysely<StorageSchema>) {
  return build.selectFrom('date_states').select('day').orderBy('day').limit(1);
}

export function firstDateOf(row: { readonly day: DayNumber } | undefined): IsoDate | null {
  return row ? isoDateOfDay(row.day) : null;
}

/** Days of a window that have rows. */
export function daysWithRowsQuery(build: Kysely<StorageSchema>, window: Window) {
  const { first, end } = dayRangeOf(window);
  return build
    .selectFrom('date_states')
    .select('day')
    .where('day', '>=', first)
    .where('day', '<', end)
    .where('row_count', '>', 0)
    .orderBy('day');
}

/** Writes the state of a day over the one before it. */
export const saveDateStateQuery = queryOfRow((build, row: DateStateRow) =>
  build
    .insertInto('date_states')
    .values(row)
    .onConflict((conflict) => conflict.column('day').doUpdateSet(row)),
);

const NEVER_CALCULATED = {
  state: 'gathered',
  calculation_fingerprint: null,
  calculation_id: null,
  calculated_at: null,
  run_id: null,
  row_count: 0,
  held_line_count: 0,
  failed_line_count: 0,
};

/** The state of a day after its inputs were written; rows stay what they are until the next calculation. */
export function gatheredState(
  before: DateStateRow | undefined,
  gathered: GatheredDay,
  written: { readonly day: DayNumber; readonly linesDigest: string; readonly inputDigest: string },
): DateStateRow {
  const changed = written.inputDigest !== before?.input_digest;
  return {
    ...(before ?? NEVER_CALCULATED),
    ...(changed ? { state: 'gathered', held_line_count: 0, failed_line_count: 0 } : {}),
    day: written.day,
    gather_fingerprint: gathered.gatherFingerprint,
    complete: gathered.complete ? 1 : 0,
    gathered_at: gathered.gatheredAt.getTime(),
    lines_digest: written.linesDigest,
    input_digest: written.inputDigest,
    line_count: gathered.lines.length,
  };
}

/** The state of a day after more of its usage was written without its bill: it is to be asked for again. */
export function withUsage(before: DateStateRow, inputDigest: string): DateStateRow {
  if (inputDigest === before.input_digest) return before;
  const again = { state: 'gathered', held_line_count: 0, failed_line_count: 0 };
  return { ...before, ...again, input_digest: inputDigest, complete: 0 };
}

/** Marks a day as calculated. */
export function markCalculatedQuery(
  build: Kysely<StorageSchema>,
  calculated: CalculatedDay,
  { day, rowCount }: { readonly day: DayNumber; readonly rowCount: number },
) {
  return build
    .updateTable('date_states')
    .set({
      state: calculated.state,
      calculation_fingerprint: calculated.calculationFingerprint,
      calculation_id: calculated.calculationId,
      calculated_at: calculated.calculatedAt.getTime(),
      run_id: calculated.provisional ? null : calculated.runId,
      row_count: rowCount,
      held_line_count: calculated.lines.filter(({ state }) => state === 'held').length,
      failed_line_count: calculated.lines.filter(isFailed).length,
    })
    .where('day', '=', day);
}

export function confirmCalculationsQuery(build: Kysely<StorageSchema>, runId: string) {
  return build
    .updateTable('date_states')
    .set({ run_id: runId })
    .where('run_id', 'is', null)
    .where('calculation_id', 'is not', null);
}

function isFailed({ portions }: CalculatedLine): boolean {
  return portions.some(({ detail }) => detail === 'ALLOCATION_FAILED');
}

export function dateStateOf(row: DateStateRow): DateState {
  return {
    date: isoDateOfDay(row.day),
    state: row.state as DateStateName,
    gatherFingerprint: row.gather_fingerprint,
    complete: row.complete === 1,
    gatheredAt: instantOf(row.gathered_at),
    inputDigest: row.input_digest,
    calculationFingerprint: row.calculation_fingerprint,
    calculationId: row.calculation_id,
    calculatedAt: nullableInstantOf(row.calculated_at),
    provisional: row.calculation_id !== null && row.run_id === null,
    lineCount: row.line_count,
    rowCount: row.row_count,
    heldLineCount: row.held_line_count,
    failedLineCount: row.failed_line_count,
  };
}
