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
import type { SqliteDatabase } from './sqlite-database.ts';

/**
 * Takes the lease, or prolongs one that `holder` has. Returns null then, else the lease of another that has
 * not expired. Runs that a dead holder left behind are marked as interrupted.
 */
export function acquireLease(database: SqliteDatabase, request: LeaseRequest): Lease | null {
  const { build } = database;
  return database.write(() => {
    const current = loadLease(database);
    if (isTaken(current, request)) return current;
    database.run(saveLeaseQuery(build, current, request));
    if (current?.holder !== request.holder) database.run(interruptRunsQuery(build, request.now));
    return null;
  });
}

/**
 * Prolongs a lease that is still the holder's.
 * @throws {ChargebackError} `CB_STORAGE_LEASE`.
 */
export function renewLease(database: SqliteDatabase, request: LeaseRequest): void {
  database.write(() => {
    assertLease(database, request.holder);
    database.run(saveLeaseQuery(database.build, loadLease(database), request));
  });
}

export function releaseLease(database: SqliteDatabase, holder: string): void {
  database.write(() => database.run(releaseLeaseQuery(database.build, holder)));
}

export function loadLease(database: SqliteDatabase): Lease | null {
  return leaseOf(database.first(leaseQuery(database.build)));
}

/**
 * Inside a write transaction of a holder: what another has taken over must not be written to.
 * @throws {ChargebackError} `CB_STORAGE_LEASE`.
 */
export function assertLease(database: SqliteDatabase, holder: string | null): void {
  if (holder === null) return;
  const stored = database.statement('select holder from leases where id = 1').pluck().get();
  assertHolder(stored as string | undefined, holder, database.path);
}
