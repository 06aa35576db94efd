import type { IsoDate, Window } from '@chargeback/plugin-api';
import type { Selectable } from 'kysely';
import { type DayNumber, dayRangeOf, instantOf, isoDateOfDay, nullableInstantOf } from '../convert.ts';
import type { DateStateTable } from '../schema.ts';
import type { DateState, DateStateName } from '../store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export type DateStateRow = Selectable<DateStateTable>;

export function loadDateStates(database: SqliteDatabase, window: Window): DateState[] {
  const { first, end } = dayRangeOf(window);
  const query = database.build
    .selectFrom('date_states')
    .selectAll()
    .where('day', '>=', first)
    .where('day', '<', end)
    .orderBy('day');
  return database.read(() => database.all(query)).map(dateStateOf);
}

export function loadFirstDate(database: SqliteDatabase): IsoDate | null {
  const query = database.build.selectFrom('date_states').select('day').orderBy('day').limit(1);
  const row = database.read(() => database.first(query));
  return row ? isoDateOfDay(row.day) : null;
}

export function dateStateRow(database: SqliteDatabase, day: DayNumber): DateStateRow | undefined {
  return database.first(database.build.selectFrom('date_states').selectAll().where('day', '=', day));
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
    lineCount: row.line_count,
    rowCount: row.row_count,
    heldLineCount: row.held_line_count,
    failedLineCount: row.failed_line_count,
  };
}
