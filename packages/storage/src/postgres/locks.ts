import type { PostgresSession } from './postgres-session.ts';

/**
 * What is written by one transaction at a time, in the order in which a transaction may take more than one: the
 * lease, a day, then the inventory, then the problems, then the tenant, then the partitions. Days are positive or at least
 * far above these numbers.
 */
const RESOURCES = {
  schema: -2_147_483_648,
  partitions: -2_147_483_647,
  inventory: -2_147_483_646,
  problems: -2_147_483_645,
  lease: -2_147_483_644,
  tenant: -2_147_483_643,
} as const;

const SCHEMA = `hashtext('chargeback ' || current_setting('search_path'))`;

export type Lockable = keyof typeof RESOURCES | { readonly day: number };

/**
 * Takes the lock before the next statement, waiting for it, and holds it until the transaction ends. Locks of other
 * schemas are others.
 */
export async function lock(session: PostgresSession, what: Lockable): Promise<void> {
  const key = typeof what === 'string' ? RESOURCES[what] : what.day;
  await session.later({ sql: `select pg_advisory_xact_lock(${SCHEMA}, $1)`, parameters: [key] });
}

/** The same beside others who take it so, and beside nobody who takes it alone. */
export async function lockShared(session: PostgresSession, what: keyof typeof RESOURCES): Promise<void> {
  const sql = `select pg_advisory_xact_lock_shared(${SCHEMA}, $1)`;
  await session.later({ sql, parameters: [RESOURCES[what]] });
}
