import { terminal } from '@chargeback/allocation';
import { Decimal } from '@chargeback/money';
import type {
  AllocationPlan,
  ChargebackRow,
  CostAllocator,
  EcosystemPlugin,
  EmitterPlugin,
  IdentityResolver,
} from '@chargeback/plugin-api';
import { API_VERSION, daysOf, pluginSettingsBaseSchema, startOfDay } from '@chargeback/plugin-api';
import { money } from '@chargeback/money';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  testAllocator,
  testEcosystem,
  testEmitter,
  testIdentityResolver,
  type TestRunner,
} from '../src/index.ts';

/** Runs a suite and returns what failed: the name of each test with its complaint. */
async function failuresOf(declare: (runner: TestRunner) => void): Promise<string[]> {
  const tests: [string, () => Promise<void>][] = [];
  declare({ describe: (_name, body) => body(), it: (name, body) => void tests.push([name, body]) });
  const failures: string[] = [];
  for (const [name, body] of tests) {
    try {
      await body();
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failures;
}

const toAll =
  (weight: (index: number) => bigint, ratio = '1'): CostAllocator =>
  ({ identities }) => ({
    portions: [
      {
        ratio: new Decimal(ratio),
        recipients:
          identities.tenantPeriod.length === 0
            ? [{ identityId: 'UNALLOCATED', weight: 1n }]
            : identities.tenantPeriod.map(({ identityId }, index) => ({ identityId, weight: weight(index) })),
        costType: 'SHARED',
        method: 'test',
        detail: null,
        chainTier: null,
        compositionIndex: null,
        tiersTried: [],
      },
    ],
  });

describe('testAllocator', () => {
  let calls = 0n;
  it.each<[string, CostAllocator, RegExp]>([
    ['goes by the order of a set', toAll((index) => BigInt(index + 1)), /in another order/],
    ['keeps something between calls', toAll(() => (calls += 1n)), /asked twice/],
    ['returns negative weights', toAll(() => -1n), /not negative/],
    ['returns ratios that do not add up', toAll(() => 1n, '0.9'), /add up to 0\.9/],
    [
      'names a stranger',
      (context) => {
        const [portion] = (toAll(() => 1n)(context) as AllocationPlan).portions;
        return { portions: [{ ...portion!, recipients: [{ identityId: 'stranger', weight: 1n }] }] };
      },
      /nobody that the line's inputs name/,
    ],
    ['is asynchronous', (async () => ({ portions: [] })) as unknown as CostAllocator, /promise/],
    [
      'mutates a set',
      (context) => {
        (context.identities.tenantPeriod as unknown[]).pop();
        return toAll(() => 1n)(context);
      },
      /delete|read only|extensible/i,
    ],
    [
      'mutates a date, which cannot be frozen',
      (context) => {
        context.window.start.setUTCFullYear(1999);
        return toAll(() => 1n)(context);
      },
      /changed its input/,
    ],
    ['steps aside', () => ({ stepAside: true, because: 'NO_METRICS_LOCATED' }), /stepped aside/],
  ])('finds one that %s', async (_what, allocator, complaint) => {
    const failures = await failuresOf((runner) => testAllocator(runner, allocator));
    expect(failures.join('\n')).toMatch(complaint);
  });

  it('passes one that does nothing of that', async () => {
    expect(
      await failuresOf((runner) =>
        testAllocator(
          runner,
          toAll(() => 1n),
        ),
      ),
    ).toEqual([]);
  });
});

describe('testIdentityResolver', () => {
  it.each<[string, IdentityResolver, RegExp]>([
    ['is asynchronous', (async () => ({})) as unknown as IdentityResolver, /promise/],
    [
      'returns the engine’s own identity',
      () => ({
        resourceActive: [
          {
            identityId: 'UNALLOCATED',
            identityType: 'system',
            displayName: null,
            createdAt: null,
            deletedAt: null,
            metadata: {},
          },
        ],
        metricsDerived: [],
      }),
      /engine's own/,
    ],
    [
      'takes the first of a set',
      ({ inventory }) => ({
        resourceActive: [...inventory.identities.values()].slice(0, 1),
        metricsDerived: [],
      }),
      /in another order/,
    ],
  ])('finds one that %s', async (_what, resolver, complaint) => {
    const failures = await failuresOf((runner) => testIdentityResolver(runner, resolver));
    expect(failures.join('\n')).toMatch(complaint);
  });
});

describe('testEmitter', () => {
  /** Appends instead of replacing, and confirms what it was given only in part. */
  const appending = (lines: string[]): EmitterPlugin => ({
    type: 'appending',
    params: z.object({}),
    create: () => ({
      async emit({ rows }) {
        let rowCount = 0;
        for await (const chunk of rows) {
          rowCount += chunk.length;
          lines.push(...chunk.map((row: ChargebackRow) => row.identityId));
        }
        return { rowCount, totals: new Map() };
      },
    }),
  });

  it('finds one that appends, keeps half a batch, ignores aborts, confirms no totals and takes any parameter', async () => {
    const failures = await failuresOf((runner) => {
      const lines: string[] = [];
      testEmitter(runner, appending(lines), async () => ({
        params: {},
        contents: async () => [...lines],
        dispose: async () => {
          lines.length = 0;
        },
      }));
    });
    expect(failures.map((failure) => failure.split(':')[0])).toEqual([
      'confirms every row and the exact total of each currency',
      'leaves one batch of two that are the same',
      'does so also after a restart',
      'puts a new batch of a period in the place of the old one',
      'keeps the batches of other periods',
      'takes as many batches at once as it says',
      'leaves the destination as it was when the rows end in an error',
      'changes nothing when another process has taken over the tenant meanwhile',
      'does nothing when it was aborted before',
      'stops within a second when it is aborted between rows, and leaves nothing half-written',
      'refuses parameters that it does not know',
    ]);
  });
});

describe('testEcosystem', () => {
  const window = { start: startOfDay('2026-02-01'), end: startOfDay('2026-02-03') };
  let serial = 0;

  const sloppy = (): EcosystemPlugin => ({
    apiVersion: API_VERSION,
    ecosystem: 'Sloppy',
    settings: pluginSettingsBaseSchema.loose() as never,
    create: async () => ({
      routes: [],
      fallback: {
        productType: '*',
        usage: [],
        resolve: () => ({ resourceActive: [], metricsDerived: [] }),
        allocate: terminal('resource'),
      },
      regather: 'always',
      gatherKey: null,
      async *billing(asked) {
        process.env['SLOPPY'] = '1';
        await fetch('http://127.0.0.1:9').catch(() => undefined);
        const lines = daysOf(asked).map((date) => ({
          lineId: `line-${(serial += 1)}`,
          timestamp: startOfDay(date),
          granularity: 'daily',
          resourceId: null,
          environmentId: null,
          productCategory: 'x',
          productType: 'X',
          quantity: new Decimal(1),
          unitPrice: new Decimal(1),
          totalCost: money(1n, 'USD'),
          coverage: null,
          metadata: {},
        }));
        yield { window: { start: asked.start, end: new Date(asked.end.getTime() + 1) }, lines, problems: [] };
      },
      async [Symbol.asyncDispose]() {},
    }),
  });

  it('finds unstable ids, windows of its own, a network of its own, changes to the process and settings that take anything', async () => {
    const failures = (
      await failuresOf((runner) => testEcosystem(runner, sloppy, { world: () => ({ settings: {}, window }) }))
    ).join('\n');
    delete process.env['SLOPPY'];
    expect(failures).toMatch(/kebab-case/);
    expect(failures).toMatch(/refuses a key/);
    expect(failures).toMatch(/midnight UTC|begins where/);
    expect(failures).toMatch(/it used the global fetch/);
    expect(failures).toMatch(/names the same lines/);
    expect(failures).toMatch(/leaves the process as it found it/);
  });
});
