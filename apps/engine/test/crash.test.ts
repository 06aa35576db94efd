import { existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { scaleConfigYaml, scaleModel, startPrometheusSimulator } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chargeback, type CommandResult, filesIn, temporaryFolder } from './support.ts';

const today = new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000);
const DAYS = 10;
const shape = {
  identities: 150,
  costTypes: 4,
  queries: 3,
  // Some principals are seen first on days that an earlier try has stored already.
  appearing: true,
  days: DAYS,
  // The configuration leaves out the newest day.
  endDate: new Date(today.getTime() - 86_400_000),
};

describe('a run that is killed or interrupted', () => {
  let simulator: Awaited<ReturnType<typeof startPrometheusSimulator>>;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let undisturbed: Record<string, string>;

  const prepare = async (name: string): Promise<{ config: string; database: string; out: string }> => {
    const out = path.join(folder.path, name, 'out');
    const database = path.join(folder.path, `${name}.db`);
    const config = path.join(folder.path, `${name}.yaml`);
    const yaml = scaleConfigYaml(shape, simulator.url, { database, outputDirectory: out });
    await writeFile(config, yaml);
    return { config, database, out };
  };
  const run = (config: string, onStart?: Parameters<typeof chargeback>[1]): Promise<CommandResult> =>
    chargeback(['run', '--config', config, '--json'], onStart ?? {});

  beforeAll(async () => {
    folder = await temporaryFolder();
    simulator = await startPrometheusSimulator({
      model: scaleModel(shape),
    });
    const { config, out } = await prepare('undisturbed');
    const result = await run(config);
    expect(result, result.stderr).toMatchObject({ exitCode: 0 });
    undisturbed = await filesIn(out);
    expect(Object.keys(undisturbed).length).toBeGreaterThanOrEqual(DAYS - 1);
  });
  afterAll(async () => {
    await simulator?.stop();
    await folder?.remove();
  });

  it('ends, after kill -9 at growing sizes of the database, in the same bytes as an undisturbed run', async () => {
    const { config, database, out } = await prepare('killed');
    const sizeOf = (): number =>
      [database, `${database}-wal`].reduce(
        (sum, file) => sum + (existsSync(file) ? statSync(file).size : 0),
        0,
      );
    let kills = 0;
    for (const threshold of [1, 100_000, 200_000, 400_000, 600_000, 800_000, 1_000_000, 1_400_000]) {
      const result = await run(config, {
        onStart: (child) => {
          const watch = setInterval(() => {
            if (sizeOf() >= threshold) child.kill('SIGKILL');
          }, 1);
          child.on('close', () => clearInterval(watch));
        },
      });
      if (result.signal === 'SIGKILL') kills += 1;
    }
    expect(kills).toBeGreaterThan(2);
    expect(await run(config)).toMatchObject({ exitCode: 0 });
    expect(await filesIn(out)).toEqual(undisturbed);
  });

  it('stops on Ctrl-C without waiting for its source, says so, and resumes', async () => {
    const { config, out } = await prepare('interrupted');
    simulator.setFaults([{ effect: { kind: 'delay', milliseconds: 600_000 } }]);
    let asked = false;
    const before = simulator.requests.length;
    const result = await run(config, {
      onStart: (child) => {
        const watch = setInterval(() => {
          if (!asked && simulator.requests.length > before) {
            asked = true;
            child.kill('SIGINT');
          }
        }, 1);
        child.on('close', () => clearInterval(watch));
      },
    });
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toMatch(/CB_RUN_INTERRUPTED/);
    simulator.setFaults([]);
    expect(await run(config)).toMatchObject({ exitCode: 0 });
    expect(await filesIn(out)).toEqual(undisturbed);
  });
});
