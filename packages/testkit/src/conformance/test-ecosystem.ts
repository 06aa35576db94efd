import assert from 'node:assert/strict';
import process from 'node:process';
import { setTimeout } from 'node:timers/promises';
import { MAX_UNITS } from '@chargeback/money';
import {
  API_VERSION,
  type BillingBatch,
  daysOf,
  type Fetch,
  MILLISECONDS_PER_DAY,
  type Register,
  UNALLOCATED,
} from '@chargeback/plugin-api';
import type { TestRunner } from '../storage-suite/store-test.ts';
import {
  all,
  collected,
  EcosystemFixture,
  type EcosystemOptions,
  type EcosystemWorld,
} from './ecosystem-world.ts';
import { snapshot } from './frozen.ts';
import { testRoutes } from './test-routes.ts';

/** How soon an abort must be noticed, in milliseconds. */
const ABORT_LIMIT = 1000;

/**
 * The conformance suite of an ecosystem plugin, in vitest and in `node:test`. Its world is a simulator or recorded
 * replies that always answer the same.
 */
export function testEcosystem(
  runner: TestRunner,
  register: Register,
  { world, ...options }: EcosystemOptions & { readonly world: () => EcosystemWorld },
): void {
  const name = options.name ?? register().ecosystem;
  const test = (title: string, body: (fixture: EcosystemFixture) => Promise<void>): void => {
    runner.it(title, () => body(new EcosystemFixture(register, world(), options)));
  };
  runner.describe(`ecosystem ${name}`, () => {
    for (const [title, body] of Object.entries({ ...REGISTRATION, ...BILL, ...INVENTORY, ...LIFE })) {
      test(title, body);
    }
  });
  runner.describe(`routes of ecosystem ${name}`, () => testRoutes(test));
}

type Tests = Readonly<Record<string, (fixture: EcosystemFixture) => Promise<void>>>;

const REGISTRATION: Tests = {
  'registers the same whenever it is asked, for this version of the contract': async ({ plugin }) => {
    assert.equal(plugin.apiVersion, API_VERSION);
    assert.match(plugin.ecosystem, /^[a-z][a-z0-9-]*$/, 'the name of an ecosystem is kebab-case');
  },
  'accepts its settings and refuses a key that it does not know': async ({ plugin, world }) => {
    plugin.settings.parse(world.settings);
    assert.equal(plugin.settings.safeParse({ ...world.settings, no_such_setting: 1 }).success, false);
  },
};

const BILL: Tests = {
  'bills the window asked for in whole UTC days, ascending, without gap or overlap': async (fixture) => {
    await fixture.with(async (ecosystem) => {
      const { batches } = await collected(ecosystem, fixture.window);
      let reached = fixture.window.start.getTime();
      for (const { window } of batches) {
        assert.equal(window.start.getTime(), reached, 'a batch begins where the one before ended');
        assert.ok(window.end > window.start, 'a batch covers at least a day');
        assert.equal(window.end.getTime() % MILLISECONDS_PER_DAY, 0, 'a batch ends at midnight UTC');
        reached = window.end.getTime();
      }
      assert.equal(reached, fixture.window.end.getTime(), 'the batches cover the window');
    });
  },
  'bills lines that begin inside their batch, with an id of their own and an amount the ledger holds': async (
    fixture,
  ) => {
    await fixture.with(async (ecosystem) => {
      const { batches } = await collected(ecosystem, fixture.window);
      const ids = new Set<string>();
      for (const { line, window } of linesOf(batches)) {
        assert.ok(line.lineId.length > 0 && line.lineId.isWellFormed(), 'a line has an id');
        assert.ok(!ids.has(line.lineId), `line ${line.lineId} is there twice`);
        ids.add(line.lineId);
        assert.ok(
          line.timestamp >= window.start && line.timestamp < window.end,
          `${line.lineId} begins outside`,
        );
        assert.equal(typeof line.totalCost.units, 'bigint', `the cost of ${line.lineId} is a Money`);
        assert.ok(line.totalCost.units <= MAX_UNITS && line.totalCost.units >= -MAX_UNITS);
        assert.match(line.totalCost.currency, /^[A-Z]{3}$/, 'a currency is an ISO 4217 code');
        assert.equal(
          snapshot(JSON.parse(JSON.stringify(line.metadata))),
          snapshot(line.metadata),
          'metadata is JSON',
        );
      }
      assert.ok(ids.size > 0, 'the world of this test has a bill');
    });
  },
  'names the same lines with the same costs when it is asked again, together or day by day': async (
    fixture,
  ) => {
    const first = await fixture.with((ecosystem) => collected(ecosystem, fixture.window));
    const again = await fixture.with((ecosystem) => collected(ecosystem, fixture.window));
    assert.equal(snapshot(again), snapshot(first));
    const byDay = await fixture.with(async (ecosystem) => {
      const batches: BillingBatch[] = [];
      for (const date of daysOf(fixture.window)) {
        const start = new Date(`${date}T00:00:00Z`);
        const window = { start, end: new Date(start.getTime() + MILLISECONDS_PER_DAY) };
        batches.push(...(await all(ecosystem.billing(window, new AbortController().signal))));
      }
      return batches;
    });
    assert.deepEqual(costsOf(byDay), costsOf(first.batches));
  },
};

const INVENTORY: Tests = {
  'lists each resource and identity once, of the types it speaks for, and none that is the engine’s own':
    async (fixture) => {
      await fixture.with(async (ecosystem) => {
        const { resources, identities } = await collected(ecosystem, fixture.window);
        for (const { authoritativeFor, resources: listed } of resources) {
          assertOnce(listed.map(({ resourceId }) => resourceId));
          assert.ok(authoritativeFor.every((type) => type.length > 0));
        }
        for (const { identities: listed } of identities) {
          assertOnce(listed.map(({ identityId }) => identityId));
          for (const { identityId, identityType } of listed) {
            assert.notEqual(identityId, UNALLOCATED);
            assert.notEqual(identityType, 'system');
          }
        }
      });
    },
  'answers every usage query for every day once, with totals that are finite and not negative': async (
    fixture,
  ) => {
    await fixture.with(async (ecosystem) => {
      if (!ecosystem.metrics) return;
      const { usage, queries } = await collected(ecosystem, fixture.window);
      const answered = usage.map(({ date, queryKey }) => `${date} ${queryKey}`);
      const asked = daysOf(fixture.window).flatMap((date) => queries.map(({ key }) => `${date} ${key}`));
      assert.deepEqual(answered.toSorted(), asked.toSorted());
      for (const { totals, queryKey } of usage) {
        assert.equal(totals.identityIds.length, totals.values.length);
        assert.ok(
          totals.values.every((value) => Number.isFinite(value) && value >= 0),
          queryKey,
        );
      }
    });
  },
};

const LIFE: Tests = {
  'stops within a second when it is aborted while it waits': async (fixture) => {
    const controller = new AbortController();
    const silent: Fetch = (_input, init) =>
      new Promise((_resolve, reject) => {
        const signals = [init?.signal, controller.signal].filter(
          (signal) => signal !== null && signal !== undefined,
        );
        for (const signal of signals) {
          if (signal.aborted) reject(signal.reason as Error);
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }
      });
    await fixture.with(
      async (ecosystem) => {
        const asking = all(ecosystem.billing(fixture.window, controller.signal)).then(
          () => 'ended',
          () => 'ended',
        );
        await Promise.race([asking, setTimeout(20)]);
        controller.abort(new Error('stop'));
        assert.equal(
          await Promise.race([asking, setTimeout(ABORT_LIMIT).then(() => 'still waits')]),
          'ended',
        );
      },
      { fetch: silent, signal: controller.signal },
    );
  },
  'can be disconnected twice': async (fixture) => {
    const ecosystem = await fixture.create();
    await ecosystem[Symbol.asyncDispose]();
    await ecosystem[Symbol.asyncDispose]();
  },
  'serves two tenants at once as it serves one': async (fixture) => {
    const alone = await fixture.with((ecosystem) => collected(ecosystem, fixture.window));
    const [one, two] = await fixture.with((first) =>
      fixture.create({ tenantId: 'tenant-2' }).then(async (second) => {
        try {
          return await Promise.all([collected(first, fixture.window), collected(second, fixture.window)]);
        } finally {
          await second[Symbol.asyncDispose]();
        }
      }),
    );
    assert.equal(snapshot(one), snapshot(alone));
    assert.equal(snapshot(two), snapshot(alone));
  },
  'leaves the process as it found it': async (fixture) => {
    const before = processState();
    await fixture.with((ecosystem) => collected(ecosystem, fixture.window));
    assert.deepEqual(processState(), before);
  },
};

function linesOf(batches: readonly BillingBatch[]) {
  return batches.flatMap(({ lines, window }) => lines.map((line) => ({ line, window })));
}

function costsOf(batches: readonly BillingBatch[]): string[] {
  return linesOf(batches)
    .map(({ line }) => `${line.lineId} ${line.totalCost.units} ${line.totalCost.currency}`)
    .toSorted();
}

function assertOnce(ids: readonly string[]): void {
  assert.ok(
    ids.every((id) => id.length > 0 && id.isWellFormed()),
    'everything listed has an id',
  );
  assert.equal(new Set(ids).size, ids.length, `an id is listed twice: ${ids.join(', ')}`);
}

function processState(): object {
  return {
    environment: { ...process.env },
    directory: process.cwd(),
    globals: Object.getOwnPropertyNames(globalThis).toSorted(),
    exitCode: process.exitCode,
    handlers: (['uncaughtException', 'unhandledRejection', 'SIGINT', 'SIGTERM'] as const).map((event) =>
      process.listenerCount(event),
    ),
  };
}
