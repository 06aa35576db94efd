import { ChargebackError } from '@chargeback/plugin-api';
import { instantOf } from '../convert.ts';
import type { Lease, LeaseRequest } from '../records.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/**
 * Takes the lease, or prolongs one that `holder` has. Returns null then, else the lease of another that has
 * not expired. Runs that a dead holder left behind are marked as interrupted.
 */
export function acquireLease(database: SqliteDatabase, request: LeaseRequest): Lease | null {
  const { holder, now, seconds, over } = request;
  return database.write(() => {
    const current = loadLease(database);
    const dead = current !== null && current.holder === over;
    if (current && current.holder !== holder && current.expiresAt > now && !dead) return current;
    const own = current?.holder === holder;
    database
      .statement(
        `insert into leases (id, holder, acquired_at, expires_at) values (1, ?, ?, ?)
         on conflict do update set holder = excluded.holder, acquired_at = excluded.acquired_at,
           expires_at = excluded.expires_at`,
      )
      .run(holder, (own ? current.acquiredAt : now).getTime(), now.getTime() + seconds * 1000);
    if (!own) {
      database
        .statement(`update runs set status = 'interrupted', ended_at = ? where status = 'running'`)
        .run(now.getTime());
    }
    return null;
  });
}

export function releaseLease(database: SqliteDatabase, holder: string): void {
  database.write(() => database.statement('delete from leases where holder = ?').run(holder));
}

export function loadLease(database: SqliteDatabase): Lease | null {
  const row = database.first(database.build.selectFrom('leases').selectAll().where('id', '=', 1));
  if (!row) return null;
  return {
    holder: row.holder,
    acquiredAt: instantOf(row.acquired_at),
    expiresAt: instantOf(row.expires_at),
  };
}

/**
 * Inside a write transaction of a holder: what another has taken over must not be written to.
 * @throws {ChargebackError} `CB_STORAGE_LEASE`.
 */
export function assertLease(database: SqliteDatabase, holder: string | null): void {
  if (holder === null) return;
  const current = database.statement('select holder from leases where id = 1').pluck().get();
  if (current === holder) return;
  throw new ChargebackError('CB_STORAGE_LEASE', 'another process has taken over this tenant', {
    path: database.path,
  });
}
