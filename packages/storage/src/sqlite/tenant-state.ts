import { millisecondsOf, nullableInstantOf } from '../convert.ts';
import type { TenantState } from '../records.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const NEW: TenantState = { gatherFailures: 0, suspendedAt: null, suspendedBecause: null, nextRunAt: null };

export function loadTenantState(database: SqliteDatabase): TenantState {
  const query = database.build.selectFrom('tenant_state').selectAll().where('id', '=', 1);
  const row = database.read(() => database.first(query));
  if (!row) return NEW;
  return {
    gatherFailures: row.gather_failures,
    suspendedAt: nullableInstantOf(row.suspended_at),
    suspendedBecause: row.suspended_because,
    nextRunAt: nullableInstantOf(row.next_run_at),
  };
}

/** Changes the fields named and keeps the others. */
export function saveTenantState(database: SqliteDatabase, change: Partial<TenantState>): void {
  database.write(() => {
    const state = { ...loadTenantState(database), ...change };
    const row = {
      id: 1,
      gather_failures: state.gatherFailures,
      suspended_at: millisecondsOf(state.suspendedAt),
      suspended_because: state.suspendedBecause,
      next_run_at: millisecondsOf(state.nextRunAt),
    };
    const query = database.build
      .insertInto('tenant_state')
      .values(row)
      .onConflict((conflict) => conflict.column('id').doUpdateSet(row));
    database.run(query);
  });
}
