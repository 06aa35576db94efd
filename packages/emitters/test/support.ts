import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { money } from '@chargeback/money';
import type { ChargebackRow, EmissionBatch, EmittedBatch, EmitterHost, Logger } from '@chargeback/plugin-api';

export const DAY = { start: new Date('2026-02-01T00:00:00Z'), end: new Date('2026-02-02T00:00:00Z') };

export function row(overrides: Partial<ChargebackRow> = {}): ChargebackRow {
  return {
    ecosystem: 'generic-metrics',
    tenantId: 'acme',
    timestamp: DAY.start,
    resourceId: 'cluster-1',
    environmentId: null,
    productCategory: 'network',
    productType: 'NETWORK_IN',
    identityId: 'team-a',
    costType: 'USAGE',
    amount: money(105_000_000n, 'USD'),
    allocationMethod: 'usage_ratio',
    allocationDetail: 'USAGE_RATIO_ALLOCATION',
    ...overrides,
  };
}

export function batch(
  chunks: readonly (readonly ChargebackRow[])[],
  overrides: Partial<EmissionBatch> = {},
): EmissionBatch & EmittedBatch {
  return {
    batchId: 'batch-1',
    ecosystem: 'generic-metrics',
    tenantId: 'acme',
    period: DAY,
    aggregation: 'daily',
    rows: fromChunks(chunks),
    confirm: async () => {},
    mark: null,
    ...overrides,
  };
}

async function* fromChunks(
  chunks: readonly (readonly ChargebackRow[])[],
): AsyncGenerator<readonly ChargebackRow[]> {
  yield* chunks;
}

export const never = new AbortController().signal;

export interface Warnings extends EmitterHost {
  readonly warnings: string[];
}

export function host(tenantId = 'acme'): Warnings {
  const warnings: string[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (_fields, message) => void warnings.push(message),
    error() {},
    child: () => logger,
  };
  return {
    logger,
    tenantId,
    ecosystem: 'generic-metrics',
    fetch,
    clock: () => new Date('2026-03-01T00:00:00Z'),
    sleep: async () => {},
    warnings,
  };
}

/** A folder of its own, removed with everything in it. */
export async function temporaryFolder(): Promise<
  AsyncDisposable & { readonly path: string; list(): Promise<string[]> }
> {
  const folder = await mkdtemp(path.join(tmpdir(), 'chargeback-emitters-'));
  return {
    path: folder,
    list: async () => (await readdir(folder)).toSorted(),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
