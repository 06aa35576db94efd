import {
  assertHolder,
  interruptRunsQuery,
  isTaken,
  leaseOf,
  leaseQuery,
  releaseLeaseQuery,
  saveLeaseQuery,
} from '../queries/coordination.ts';
import type { Lease, LeaseRequest } from '../records.ts';
import { lock } from './locks.ts';
import type { PostgresDatabase } from './postgres-database.ts';

/**
 * Takes the lease, or prolongs one that `holder` has. Returns null then, else the lease of another that has
 * not expired. Waits for writes under the lease it takes over. Runs that a dead holder left behind are marked
 * as interrupted.
 */
export async function acquireLease(database: PostgresDatabase, request: LeaseRequest): Promise<Lease | null> {
  const { build } = database;
  const outcome = await database.transaction(async (session) => {
    await lock(session, 'lease');
    const current = leaseOf(await session.first(leaseQuery(build).forUpdate()));
    if (isTaken(current, request)) return { taken: current, own: false };
    await session.run(saveLeaseQuery(build, current, request));
    const own = current?.holder === request.holder;
    if (!own) await session.run(interruptRunsQuery(build, request.now));
    return { taken: null, own };
  });
  if (outcome.taken === null) {
    // Whoever had the lease in between may have removed names and months.
    if (!outcome.own || database.holder !== request.holder) database.forgetCaches();
    database.holder = request.holder;
    database.leaseSeconds = request.seconds;
  }
  return outcome.taken;
}

/**
 * Prolongs a lease that is still the holder's.
 * @throws {ChargebackError} `CB_STORAGE_LEASE`.
 */
export async function renewLease(database: PostgresDatabase, now: Date): Promise<void> {
  const { build, holder, leaseSeconds } = database;
  if (holder === null) return;
  const renewed = await database.write(
    build
      .updateTable('leases')
      .set({ expires_at: now.getTime() + leaseSeconds * 1000 })
      .where('id', '=', 1)
      .where('holder', '=', holder)
      .returning('holder'),
  );
  assertHolder(renewed[0]?.holder, holder, database.place);
}

export async function releaseLease(database: PostgresDatabase, holder: string): Promise<void> {
  await database.write(releaseLeaseQuery(database.build, holder));
}

export async function loadLease(database: PostgresDatabase): Promise<Lease | null> {
  return leaseOf(await database.first(leaseQuery(database.build)));
}
