import { saveTenantStateQuery, tenantStateOf, tenantStateQuery } from '../queries/coordination.ts';
import type { TenantState, TenantStateChange } from '../records.ts';
import { lock } from './locks.ts';
import type { PostgresDatabase } from './postgres-database.ts';

export async function loadTenantState(database: PostgresDatabase): Promise<TenantState> {
  return tenantStateOf(await database.first(tenantStateQuery(database.build)));
}

/** Changes the fields named and keeps the others. */
export async function saveTenantState(database: PostgresDatabase, change: TenantStateChange): Promise<void> {
  const { build } = database;
  await database.held(async (session) => {
    await lock(session, 'tenant');
    const before = tenantStateOf(await session.first(tenantStateQuery(build)));
    await session.run(saveTenantStateQuery(build, { ...before, ...change }));
  });
}
