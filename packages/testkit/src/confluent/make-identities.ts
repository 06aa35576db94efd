import { MILLISECONDS_PER_DAY } from '@chargeback/plugin-api';
import type { OrganizationShape } from './organization-shape.ts';
import type { Lived, SimulatedPool } from './organization.ts';
import { vendorId } from './vendor-ids.ts';

export interface MadeIdentities {
  readonly accounts: readonly Lived[];
  readonly users: readonly Lived[];
  readonly identityProviders: readonly Lived[];
  readonly identityPools: readonly SimulatedPool[];
  readonly certificateAuthorities: readonly Lived[];
  readonly certificatePools: readonly SimulatedPool[];
  readonly groupMappings: readonly Lived[];
}

/** One account in so many comes during the billed days, and one goes. */
const TURNOVER = 25;
const ACCOUNTS_PER_USER = 20;

const TEAMS = ['orders', 'payments', 'search', 'fraud', 'pricing', 'logistics', 'ledger', 'insights'];
const TASKS = ['ingest', 'api', 'enrich', 'sink', 'sync', 'replay', 'export', 'monitor'];

/** Who there is. */
export function makeIdentities(shape: OrganizationShape): MadeIdentities {
  const { seed, serviceAccounts } = shape;
  const old = bornBefore(shape, 200);
  const one = (prefix: string, index: number, displayName: string): Lived => ({
    id: vendorId(prefix, seed, index),
    displayName,
    ...old,
  });
  const identityProviders = [one('op', 0, 'company-sso')];
  const certificateAuthorities = [one('op-ca', 0, 'company-ca')];
  const pool = (index: number, displayName: string, provider: Lived): SimulatedPool => ({
    ...one('pool', index, displayName),
    providerId: provider.id,
  });
  return {
    accounts: Array.from({ length: serviceAccounts }, (_, index) => ({
      ...one('sa', index, accountName(index)),
      ...lifeOf(shape, index),
    })),
    users: Array.from({ length: Math.max(2, Math.ceil(serviceAccounts / ACCOUNTS_PER_USER)) }, (_, index) =>
      one('u', index, `Person ${index + 1}`),
    ),
    identityProviders,
    identityPools: ['batch-jobs', 'web-shop'].map((name, index) => pool(index, name, identityProviders[0]!)),
    certificateAuthorities,
    certificatePools: [pool(100, 'factory-devices', certificateAuthorities[0]!)],
    groupMappings: [one('group', 0, 'platform-admins')],
  };
}

/** A life that began so many days before the first billed day and goes on. */
export function bornBefore(
  { window }: OrganizationShape,
  days: number,
): { createdAt: Date; deletedAt: null } {
  return { createdAt: new Date(window.start.getTime() - days * MILLISECONDS_PER_DAY), deletedAt: null };
}

function lifeOf(shape: OrganizationShape, index: number): { createdAt: Date; deletedAt: Date | null } {
  const life = bornBefore(shape, 30 + (index % 170));
  const later = (part: number): Date => {
    const days = Math.floor(shape.days * part);
    return new Date(shape.window.start.getTime() + days * MILLISECONDS_PER_DAY);
  };
  if (index % TURNOVER === 3) return { createdAt: later(1 / 3), deletedAt: null };
  if (index % TURNOVER === 7) return { ...life, deletedAt: later(2 / 3) };
  return life;
}

function accountName(index: number): string {
  const team = TEAMS[index % TEAMS.length]!;
  const task = TASKS[Math.floor(index / TEAMS.length) % TASKS.length]!;
  const round = Math.floor(index / (TEAMS.length * TASKS.length));
  return `${team}-${task}${round === 0 ? '' : `-${round + 1}`}`;
}
