import { ChargebackError, type IsoDate } from '@chargeback/plugin-api';
import type { Kysely } from 'kysely';
import {
  type DayNumber,
  dayNumberOf,
  instantOf,
  isoDateOfDay,
  millisecondsOf,
  nullableInstantOf,
} from '../convert.ts';
import type { Lease, LeaseRequest, TenantState } from '../records.ts';
import type { StorageSchema, TenantStateTable } from '../schema.ts';

const NEW: TenantState = {
  gatherFailures: 0,
  suspendedAt: null,
  suspendedBecause: null,
  nextRunAt: null,
  prunedBefore: null,
};

export function tenantStateQuery(build: Kysely<StorageSchema>) {
  return build.selectFrom('tenant_state').selectAll().where('id', '=', 1);
}

export function tenantStateOf(row: TenantStateTable | undefined): TenantState {
  if (!row) return NEW;
  return {
    gatherFailures: row.gather_failures,
    suspendedAt: nullableInstantOf(row.suspended_at),
    suspendedBecause: row.suspended_because,
    nextRunAt: nullableInstantOf(row.next_run_at),
    prunedBefore: row.pruned_before === null ? null : isoDateOfDay(row.pruned_before),
  };
}

export function saveTenantStateQuery(build: Kysely<StorageSchema>, state: TenantState) {
  const row = {
    id: 1,
    gather_failures: state.gatherFailures,
    suspended_at: millisecondsOf(state.suspendedAt),
    suspended_because: state.suspendedBecause,
    next_run_at: millisecondsOf(state.nextRunAt),
    pruned_before: state.prunedBefore === null ? null : dayNumberOf(state.prunedBefore),
  };
  return build
    .insertInto('tenant_state')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doUpdateSet(row));
}

/** The state once retention has removed a day. */
export function prunedState(before: TenantState, day: DayNumber): TenantState {
  const prunedBefore = isoDateOfDay(day + 1);
  return { ...before, prunedBefore: laterOf(before.prunedBefore, prunedBefore) };
}

function laterOf(left: IsoDate | null, right: IsoDate): IsoDate {
  return left !== null && left > right ? left : right;
}

export function leaseQuery(build: Kysely<StorageSchema>) {
  return build.selectFrom('leases').selectAll().where('id', '=', 1);
}

export function leaseOf(row: StorageSchema['leases'] | undefined): Lease | null {
  if (!row) return null;
  const { holder, acquired_at, expires_at } = row;
  return { holder, acquiredAt: instantOf(acquired_at), expiresAt: instantOf(expires_at) };
}

/** Whether a lease keeps another holder from taking it. */
export function isTaken(current: Lease | null, { holder, now, over }: LeaseRequest): boolean {
  return current !== null && current.holder !== holder && current.expiresAt > now && current.holder !== over;
}

export function saveLeaseQuery(
  build: Kysely<StorageSchema>,
  current: Lease | null,
  { holder, now, seconds }: LeaseRequest,
) {
  const acquiredAt = current?.holder === holder ? current.acquiredAt : now;
  const row = {
    id: 1,
    holder,
    acquired_at: acquiredAt.getTime(),
    expires_at: now.getTime() + seconds * 1000,
  };
  return build
    .insertInto('leases')
    .values(row)
    .onConflict((conflict) => conflict.column('id').doUpdateSet(row));
}

export function releaseLeaseQuery(build: Kysely<StorageSchema>, holder: string) {
  return build.deleteFrom('leases').where('holder', '=', holder);
}

/** Runs that a dead holder left behind. */
export function interruptRunsQuery(build: Kysely<StorageSchema>, now: Date) {
  return build
    .updateTable('runs')
    .set({ status: 'interrupted', ended_at: now.getTime() })
    .where('status', '=', 'running');
}

/** @throws {ChargebackError} `CB_STORAGE_LEASE` unless the holder is the one that is stored. */
export function assertHolder(stored: string | undefined, holder: string, place: string): void {
  if (stored === holder) return;
  throw new ChargebackError('CB_STORAGE_LEASE', 'another process has taken over this tenant', {
    path: place,
  });
}
