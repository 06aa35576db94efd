import type { IsoDate, Window } from '@chargeback/plugin-api';
import type { DayNumber } from '../convert.ts';
import {
  confirmCalculationsQuery,
  dateStateOf,
  dateStateQuery,
  type DateStateRow,
  dateStatesQuery,
  firstDateOf,
  firstDayQuery,
} from '../queries/date-states.ts';
import type { DateState } from '../store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export function loadDateStates(database: SqliteDatabase, window: Window): DateState[] {
  return database.read(() => database.all(dateStatesQuery(database.build, window))).map(dateStateOf);
}

export function confirmCalculations(database: SqliteDatabase, runId: string): void {
  database.run(confirmCalculationsQuery(database.build, runId));
}

export function loadFirstDate(database: SqliteDatabase): IsoDate | null {
  return firstDateOf(database.read(() => database.first(firstDayQuery(database.build))));
}

export function dateStateRow(database: SqliteDatabase, day: DayNumber): DateStateRow | undefined {
  return database.first(dateStateQuery(database.build, day));
}
