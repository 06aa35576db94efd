import { existsSync, statSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import {
  fictionalOrganization,
  startConfluentSimulator,
  tenantsYaml,
  to,
  withField,
} from '@chargeback/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { chargeback, type CommandResult, filesIn, temporaryFolder } from './support.ts';

const DAY = 86_400_000;
const today = new Date(Math.floor(Date.now() / DAY) * DAY);
const KILLS = 50;
const CANARY = 'canary-5e7c-secret';

/** Numbers in [0, 1) that are the same at every run of the test, and spread evenly. */
function* spread(): Generator<number> {
  const golden = (Math.sqrt(5) - 1) / 2;
  for (let position = 0.5; ; position = (position + golden) % 1) yield position;
}

/** Days whose bill is stored so far; 0 while there is no schema yet. */
async function daysStored(database: string): Promise<number> {
  if (!existsSync(database)) return 0;
  const reader = new DatabaseSync(database, { readOnly: true, timeout: 5000 });
  try {
    const row = reader.prepare('select count(*) as days from date_states').get();
    return Number(row?.['days']);
  } catch {
    return 0;
  } finally {
    reader.close();
  }
}

describe('a Confluent Cloud bill in a process that dies', () => {
  let simulator: Awaited<ReturnType<typeof startConfluentSimulator>>;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let undisturbed: Record<string, string>;
  let milliseconds: number;
  const cloud = fictionalOrganization({ seed: 7, days: 16, endDate: new Date(today.getTime() - DAY) });

  const prepare = async (name: string): Promise<{ config: string; database: string; out: string }> => {
    const out = path.join(folder.path, name, 'out');
    const database = path.join(folder.path, `${name}.db`);
    const config = path.join(folder.path, `${name}.yaml`);
    const text = tenantsYaml(cloud.tenant(simulator.url, { database, outputDirectory: out }));
    await writeFile(config, text.replaceAll('no-secret', '${SECRET}'));
    return { config, database, out };
  };
  /** The files that people read; what a dead process was writing is hidden, and cleared away an hour later. */
  const visible = async (out: string): Promise<Record<string, string>> =>
    Object.fromEntries(
      Object.entries(await filesIn(out)).filter(([name]) => !path.basename(name).startsWith('.chargeback-')),
    );
  const run = (config: string, killAfter?: number, largestFile?: number): Promise<CommandResult> =>
    chargeback(['run', '--config', config, '--json'], {
      env: { SECRET: CANARY },
      ...(largestFile === undefined ? {} : { largestFile }),
      onStart: (child) => {
        if (killAfter === undefined) return;
        const ended = new AbortController();
        child.on('close', () => ended.abort());
        const { signal } = ended;
        setTimeout(killAfter, undefined, { signal }).then(
          () => child.kill('SIGKILL'),
          () => {},
        );
      },
    });

  beforeAll(async () => {
    folder = await temporaryFolder();
    simulator = await startConfluentSimulator({ organization: cloud.organization, clock: () => today });
    const { config, out } = await prepare('undisturbed');
    const startedAt = performance.now();
    const result = await run(config);
    milliseconds = performance.now() - startedAt;
    expect(result, result.stderr + result.stdout).toMatchObject({ exitCode: 0 });
    undisturbed = await filesIn(out);
    expect(Object.keys(undisturbed).length).toBeGreaterThan(10);
  });
  afterEach(() => simulator.setFaults([]));
  afterAll(async () => {
    await simulator?.stop();
    await folder?.remove();
  });

  it(`ends in the same bytes, killed at ${KILLS} points of its run`, { timeout: 900_000 }, async () => {
    let kills = 0;
    const moments = spread();
    for (let round = 0; kills < KILLS; round += 1) {
      const { config, database, out } = await prepare(`killed-${round}`);
      // A few deaths in a row, each of a run that goes on where the one before died.
      for (let death = 0; death < 5; death += 1) {
        const { signal } = await run(config, milliseconds * (0.25 + 0.75 * (moments.next().value ?? 0)));
        if (signal === 'SIGKILL') kills += 1;
      }
      const last = await run(config);
      expect(last, last.stdout).toMatchObject({ exitCode: 0 });
      expect(await visible(out)).toEqual(undisturbed);
      await Promise.all(
        [database, `${database}-wal`, `${database}-shm`].map((file) => rm(file, { force: true })),
      );
    }
  });

  it('ends in the same bytes, killed while a settled history is restated and its files change from days to months and back', async () => {
    const { config, out } = await prepare('restated');
    // Runs follow each other at once here, and all of them are to ask for the bill.
    const daily = (await readFile(config, 'utf8')).replace(
      /^( *)partial_period:/mu,
      '$1min_refresh_gap_seconds: 0\n$&',
    );
    await writeFile(config, daily);
    const monthly = daily.replaceAll('aggregation: daily', 'aggregation: monthly');
    expect(monthly).not.toBe(daily);
    expect(await run(config)).toMatchObject({ exitCode: 0 });
    expect(await visible(out)).toEqual(undisturbed);
    // Every fifth row or so is withdrawn, by its own bytes: also whoever begins elsewhere misses the same ones.
    const change = (json: string): string | readonly string[] => (json.length % 5 === 0 ? [] : json);
    simulator.setFaults([{ when: to('costs'), effect: { kind: 'items', change } }]);
    const fresh = await prepare('restated-fresh');
    expect(await run(fresh.config)).toMatchObject({ exitCode: 0 });
    const restated = await visible(fresh.out);
    expect(restated).not.toEqual(undisturbed);
    const moments = spread();
    let kills = 0;
    for (let death = 0; death < 8; death += 1) {
      await writeFile(config, death % 2 === 0 ? daily : monthly);
      const { signal } = await run(config, milliseconds * (0.2 + 0.5 * (moments.next().value ?? 0)));
      if (signal === 'SIGKILL') kills += 1;
    }
    expect(kills).toBeGreaterThan(2);
    await writeFile(config, daily);
    const last = await run(config);
    expect(last, last.stdout).toMatchObject({ exitCode: 0 });
    expect(await visible(out)).toEqual(restated);
  });

  it('lists what is wrong, ends with 1, and heals to the same bytes when the faults are over', async () => {
    const { config, out } = await prepare('faulty');
    const day = new Date(today.getTime() - 9 * DAY).toISOString().slice(0, 10);
    simulator.setFaults([
      { when: to('ksqldb_clusters'), effect: { kind: 'status', status: 403 } },
      {
        when: to('costs'),
        times: 3,
        effect: { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
      },
      {
        when: to('costs'),
        effect: {
          kind: 'items',
          change: (json) =>
            json.includes(`"start_date":"${day}"`) ? withField(json, 'amount', '"abc"') : json,
        },
      },
    ]);
    const faulty = await run(config);
    expect(faulty.exitCode).toBe(1);
    const status = await chargeback(['status', '--config', config], { env: { SECRET: CANARY } });
    expect(status.exitCode).toBe(1);
    expect(status.stdout).toMatch(/CB_INVENTORY_GATHER/);
    expect(status.stdout).toMatch(/CB_BILLING_AMOUNT/);
    expect(Object.keys(await filesIn(out)).length).toBeGreaterThan(5);
    simulator.setFaults([]);
    const healed = await run(config);
    expect(healed, healed.stdout).toMatchObject({ exitCode: 0 });
    expect(await visible(out)).toEqual(undisturbed);
    const after = await chargeback(['status', '--config', config], { env: { SECRET: CANARY } });
    expect([after.exitCode, after.stdout]).toEqual([0, expect.not.stringContaining('CB_')]);
  });

  it('says so when another process holds the database, and ends in the same bytes afterwards', async () => {
    const { config, database, out } = await prepare('locked');
    await run(config, milliseconds * 0.6);
    const other = new DatabaseSync(database);
    other.exec('begin immediate');
    const refused = await run(config);
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout).toMatch(/CB_STORAGE_BUSY/);
    other.exec('rollback');
    other.close();
    expect(await run(config)).toMatchObject({ exitCode: 0 });
    expect(await visible(out)).toEqual(undisturbed);
  });

  it('says so when another process holds the database in the middle of the run, and ends in the same bytes afterwards', async () => {
    const { config, database, out } = await prepare('locked-midway');
    const running = run(config);
    // As soon as the run has stored its first days.
    while ((await daysStored(database)) < 3) await setTimeout(5);
    const other = new DatabaseSync(database, { timeout: 5000 });
    other.exec('begin immediate');
    const refused = await running;
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout).toMatch(/CB_STORAGE_BUSY/);
    other.exec('rollback');
    other.close();
    const last = await run(config);
    expect(last, last.stdout).toMatchObject({ exitCode: 0 });
    expect(await visible(out)).toEqual(undisturbed);
  });

  it.skipIf(process.platform === 'win32')(
    'says so when the disk is full, and ends in the same bytes once there is space',
    async () => {
      const { config, out } = await prepare('full');
      const size = statSync(path.join(folder.path, 'undisturbed.db')).size;
      const codes = new Set<string>();
      for (const share of [0.4, 0.7, 0.9]) {
        const full = await run(config, undefined, Math.floor(size * share));
        expect(full, full.stderr).toMatchObject({ exitCode: 1, signal: null });
        for (const [code] of full.stdout.matchAll(/CB_[A-Z_]+/g)) codes.add(code);
      }
      expect([...codes]).toContain('CB_STORAGE_WRITE');
      const last = await run(config);
      expect(last, last.stdout).toMatchObject({ exitCode: 0 });
      expect(await visible(out)).toEqual(undisturbed);
    },
  );

  it('shows its secret nowhere: not in logs, results, files or the database, also where the vendor refuses it', async () => {
    const { config, database } = await prepare('canary');
    simulator.setFaults([{ when: () => true, effect: { kind: 'status', status: 401 } }]);
    const refused = await run(config);
    simulator.setFaults([]);
    const accepted = await run(config);
    const status = await chargeback(['status', '--config', config], { env: { SECRET: CANARY } });
    const told = [refused, accepted, status].map(({ stdout, stderr }) => stdout + stderr).join('');
    expect(refused.stdout).toMatch(/CB_SOURCE_AUTH/);
    expect(told).not.toContain(CANARY);
    expect(told).not.toContain(Buffer.from(`DEMO:${CANARY}`).toString('base64'));
    const files = await filesIn(folder.path);
    for (const [name, text] of Object.entries(files)) expect(text, name).not.toContain(CANARY);
    expect(files[path.relative(folder.path, database)]).toBeDefined();
  });
});
