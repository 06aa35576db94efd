import type { Identity, Resource } from '@chargeback/plugin-api';
import type { BillRow } from './bill.ts';

/** The buckets of the bill with their owners. */
export function bucketsOf(rows: readonly BillRow[]): Resource[] {
  const owners = new Map(
    rows.filter(({ bucket }) => bucket !== '').map((row) => [row.bucket, row.owner || null]),
  );
  return [...owners].map(([resourceId, ownerId]) => ({
    resourceId,
    resourceType: 'bucket',
    displayName: null,
    parentId: null,
    ownerId,
    createdAt: null,
    deletedAt: null,
    metadata: {},
  }));
}

/** The teams that own buckets. */
export function teamsOf(rows: readonly BillRow[]): Identity[] {
  const names = new Set(rows.map(({ owner }) => owner).filter((owner) => owner !== ''));
  return [...names].map((name) => identity(name, 'team'));
}

/** Whoever asks: known by name only. */
export function principal(name: string): Identity {
  return identity(name, 'principal');
}

function identity(identityId: string, identityType: string): Identity {
  return { identityId, identityType, displayName: null, createdAt: null, deletedAt: null, metadata: {} };
}
