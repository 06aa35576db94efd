import { readFile } from 'node:fs/promises';
import type { Ecosystem, Identity, PluginHost, Resource } from '@chargeback/plugin-api';
import { linesOf, type Row, rowsOf } from './bill.ts';
import { routing } from './routes.ts';
import type { Settings } from './settings.ts';

/** Connects one tenant. The network is `host.fetch`, the time `host.clock()`: nothing global is used. */
export async function connect(settings: Settings, host: PluginHost): Promise<Ecosystem> {
  const rows = rowsOf(await readFile(host.resolvePath(settings.bill_file), 'utf8'));
  return {
    ...routing(),
    // The bill may change at its source, so that every run asks again; what did not change is not calculated again.
    regather: 'always',
    gatherKey: { currency: settings.currency },
    async *billing(window) {
      yield { window, lines: linesOf(rows, window, settings.currency), problems: [] };
    },
    async *resources() {
      yield { authoritativeFor: ['server'], resources: resourcesOf(rows) };
    },
    async *identities() {
      yield { authoritativeFor: ['team'], identities: ownersOf(rows) };
    },
    async [Symbol.asyncDispose]() {
      // Nothing to close.
    },
  };
}

function resourcesOf(rows: readonly Row[]): Resource[] {
  const owners = new Map(rows.map(({ resource, owner }) => [resource, owner]));
  return [...owners].map(([resourceId, ownerId]) => ({
    resourceId,
    resourceType: 'server',
    displayName: null,
    parentId: null,
    ownerId,
    createdAt: null,
    deletedAt: null,
    metadata: {},
  }));
}

function ownersOf(rows: readonly Row[]): Identity[] {
  const owners = new Set(rows.map(({ owner }) => owner).filter((owner) => owner !== null));
  return [...owners].map((identityId) => ({
    identityId,
    identityType: 'team',
    displayName: null,
    createdAt: null,
    deletedAt: null,
    metadata: {},
  }));
}
