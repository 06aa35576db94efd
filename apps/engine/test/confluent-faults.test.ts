import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  type ConfluentFault,
  fictionalOrganization,
  startConfluentSimulator,
  tenantsYaml,
  to,
  withField,
} from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chargeback, filesIn, temporaryFolder } from './support.ts';

const DAY = 86_400_000;
/** Of six tries. */
const REFUSALS = 4;
const today = new Date(Math.floor(Date.now() / DAY) * DAY);
const daysAgo = (days: number): string => new Date(today.getTime() - days * DAY).toISOString().slice(0, 10);

/** Whatever is asked of the vendor, bill and listings, is refused so many times in a row before it is answered. */
function storm(refusals: number): ConfluentFault {
  const refused = new Map<string, number>();
  return {
    when: ({ endpoint, path: asked, query }) => {
      if (endpoint === 'prometheus') return false;
      const key = JSON.stringify([asked, query]);
      const before = refused.get(key) ?? 0;
      refused.set(key, before + 1);
      return before < refusals;
    },
    effect: { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
  };
}

describe('a Confluent Cloud bill from the command line, with several faults in one run', () => {
  let simulator: Awaited<ReturnType<typeof startConfluentSimulator>>;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  // Billed from 17 days ago. A run asks for new days first, here those from 10 days ago on, three at a time.
  const cloud = fictionalOrganization({ seed: 11, days: 16, endDate: new Date(today.getTime() - DAY) });
  const RESTATED = daysAgo(13);
  const REFUSED = [daysAgo(10), daysAgo(9), daysAgo(8)];

  const prepare = async (name: string, cutoffDays?: number): Promise<{ config: string; out: string }> => {
    const [database, out] = [`${name}.db`, `${name}-out`].map((file) => path.join(folder.path, file));
    const tenants = cloud.tenant(simulator.url, { database: database!, outputDirectory: out! });
    const [[tenantName, tenant]] = Object.entries(tenants) as [[string, Record<string, never>]];
    const settings = tenant['plugin_settings'] as unknown as object;
    const text = tenantsYaml({
      [tenantName]: {
        ...tenant,
        ...(cutoffDays === undefined ? {} : { cutoff_days: cutoffDays }),
        // Every run asks for the whole bill again, as a run of the next day would.
        plugin_settings: { ...settings, billing_api: { days_per_query: 3 }, min_refresh_gap_seconds: 0 },
      },
    });
    const config = path.join(folder.path, `${name}.yaml`);
    await writeFile(config, text);
    return { config, out: out! };
  };
  const run = (config: string) => chargeback(['run', '--config', config, '--json']);
  const status = (config: string) => chargeback(['status', '--config', config, '--json']);
  /** Files of days by their day. */
  const daily = (files: Record<string, string>): Map<string, string> =>
    new Map(
      Object.entries(files).flatMap(([name, text]) => {
        const day = /_(\d{4}-\d{2}-\d{2})\.csv$/.exec(name)?.[1];
        return day === undefined ? [] : [[day, text]];
      }),
    );

  beforeAll(async () => {
    folder = await temporaryFolder();
    simulator = await startConfluentSimulator({ organization: cloud.organization, clock: () => today });
  });
  afterAll(async () => {
    await simulator?.stop();
    await folder?.remove();
  });

  it(
    'calculates all other dates, lists what is wrong and ends with 1; the next run heals to the same bytes',
    { timeout: 300_000 },
    async () => {
      const untouched = await prepare('untouched');
      expect(await run(untouched.config)).toMatchObject({ exitCode: 0 });
      const expected = await filesIn(untouched.out);
      const expectedDays = daily(expected);
      expect(expectedDays.size).toBe(13);

      // What the vendor bills at first for one of the older days.
      const dearer = (json: string): string =>
        json.includes(`"start_date":"${RESTATED}"`) && json.includes('KAFKA_NETWORK_READ')
          ? withField(json, 'amount', '99.5')
          : json;
      simulator.setFaults([{ when: to('costs'), effect: { kind: 'items', change: dearer } }]);
      const early = await prepare('faulty', 10);
      expect(await run(early.config)).toMatchObject({ exitCode: 0 });
      const before = daily(await filesIn(early.out));
      expect(before.size).toBe(7);
      expect(before.get(RESTATED)).not.toBe(expectedDays.get(RESTATED));

      // Now it has restated that day downwards; a listing is forbidden; and it refuses whoever asks too much.
      const { config, out } = await prepare('faulty');
      const asked = simulator.requests.length;
      simulator.setFaults([
        { when: to('ksqldb_clusters'), effect: { kind: 'status', status: 403 } },
        {
          when: ({ endpoint, query }) => endpoint === 'costs' && query['start_date'] === REFUSED[0],
          effect: { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
        },
        // Above the others: what it refuses does not get as far as them.
        storm(REFUSALS),
      ]);
      const faulty = await run(config);
      expect(faulty.exitCode, faulty.stdout).toBe(1);
      const answered = simulator.requests.slice(asked).filter(({ endpoint }) => endpoint !== 'prometheus');
      const refusals = answered.filter((request) => request.status === 429);
      const places = new Set(answered.map((request) => `${request.path} ${JSON.stringify(request.query)}`));
      expect(refusals.length).toBeGreaterThanOrEqual(places.size * REFUSALS);
      expect(places.size).toBeGreaterThan(15);
      const calculated = daily(await filesIn(out));
      const others = [...expectedDays.keys()].filter((day) => !REFUSED.includes(day));
      expect([...calculated.keys()].toSorted()).toEqual(others.toSorted());
      for (const day of others) expect([day, calculated.get(day)]).toEqual([day, expectedDays.get(day)]);

      const listed = await status(config);
      expect(listed.exitCode).toBe(1);
      const [told] = (JSON.parse(listed.stdout) as { tenants: [Told] }).tenants;
      // What a month lacks, and that it waits for it, follows from these and depends on today.
      const errors = told.problems.filter(
        ({ code, severity }) => severity === 'error' && code !== 'CB_EMIT_INCOMPLETE',
      );
      expect(errors.map(({ code, path: place }) => [code, place])).toEqual([
        ['CB_INVENTORY_GATHER', 'ksqldb_cluster'],
        ['CB_SOURCE_RATE_LIMITED', 'billing/v1/costs'],
      ]);
      expect(errors[1]!.message).toContain(`${REFUSED[0]} to ${REFUSED[2]}`);
      expect(told.revisions.map(({ date }) => date)).toEqual([RESTATED]);
      expect(Number(told.revisions[0]!.after.billed)).toBeLessThan(Number(told.revisions[0]!.before.billed));

      simulator.setFaults([]);
      const healed = await run(config);
      expect(healed, healed.stdout).toMatchObject({ exitCode: 0 });
      expect(await filesIn(out)).toEqual(expected);
      const after = await status(config);
      expect([after.exitCode, after.stdout]).toEqual([0, expect.not.stringContaining('"severity":"error"')]);
    },
  );
});

interface Told {
  readonly problems: readonly {
    readonly code: string;
    readonly severity: string;
    readonly path?: string;
    readonly message: string;
  }[];
  readonly revisions: readonly {
    readonly date: string;
    readonly before: { readonly billed: string };
    readonly after: { readonly billed: string };
  }[];
}
