import { saveTenantStateQuery, tenantStateOf, tenantStateQuery } from '../queries/coordination.ts';
import type { TenantState, TenantStateChange } from '../records.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export function loadTenantState(database: SqliteDatabase): TenantState {
  return tenantStateOf(database.read(() => database.first(tenantStateQuery(database.build))));
}

/** Changes the fields named and keeps the others. */
export function saveTenantState(database: SqliteDatabase, change: TenantStateChange): void {
  database.write(() => {
    const state = { ...loadTenantState(database), ...change };
    database.run(saveTenantStateQuery(database.build, state));
  });
}
