import type { IsoDate, Window } from '@chargeback/plugin-api';
import {
  confirmCalculationsQuery,
  dateStateOf,
  dateStatesQuery,
  firstDateOf,
  firstDayQuery,
} from '../queries/date-states.ts';
import type { DateState } from '../store.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import type { PostgresSession } from './postgres-session.ts';

export async function loadDateStates(database: PostgresDatabase, window: Window): Promise<DateState[]> {
  return (await database.all(dateStatesQuery(database.build, window))).map(dateStateOf);
}

export async function confirmCalculations({ session, build }: Target, runId: string): Promise<void> {
  await session.run(confirmCalculationsQuery(build, runId));
}

export async function loadFirstDate(database: PostgresDatabase): Promise<IsoDate | null> {
  return firstDateOf(await database.first(firstDayQuery(database.build)));
}

/** What a transaction needs: a session, and the builder of its queries. */
export interface Target {
  readonly session: PostgresSession;
  readonly build: PostgresDatabase['build'];
}
