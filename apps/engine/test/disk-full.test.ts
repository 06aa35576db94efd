import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { scaleConfigYaml, scaleModel, startPrometheusSimulator } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chargeback, type CommandOptions, type CommandResult, filesIn, temporaryFolder } from './support.ts';

const today = new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000);
const shape = {
  identities: 150,
  costTypes: 4,
  queries: 3,
  appearing: true,
  days: 10,
  endDate: new Date(today.getTime() - 86_400_000),
};

interface Told {
  readonly runs: readonly {
    readonly status: string;
    readonly dates_calculated: number;
    readonly periods_emitted: number;
    readonly problems: readonly { readonly code: string }[];
  }[];
}

/** Whether this process may mount a file system of its own, as a container's root may. */
function mayMount(folder: string): boolean {
  try {
    mount(folder, 'size=64k');
    execFileSync('umount', [folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function mount(folder: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'chargeback-test', folder], { stdio: 'ignore' });
}

describe('a run whose disk becomes full', () => {
  let simulator: Awaited<ReturnType<typeof startPrometheusSimulator>>;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let undisturbed: Record<string, string>;
  /** Bytes that the undisturbed run left. */
  let needed: { database: number; output: number };

  /** The configuration of a tenant with its database or its output on a disk of its own. */
  const prepare = async (name: string, small: 'database' | 'output') => {
    const disk = path.join(folder.path, `${name}-disk`);
    await mkdir(disk);
    const config = path.join(folder.path, `${name}.yaml`);
    const database = path.join(small === 'database' ? disk : folder.path, `${name}.db`);
    const out = path.join(small === 'output' ? disk : folder.path, `${name}-out`);
    await writeFile(config, scaleConfigYaml(shape, simulator.url, { database, outputDirectory: out }));
    return { disk, config, database, out };
  };
  const run = (config: string, options: CommandOptions = {}): Promise<CommandResult> =>
    chargeback(['run', '--config', config, '--json'], options);

  /** The codes of a run that failed; what was committed adds up. */
  const codesOf = async (result: CommandResult, config: string): Promise<string[]> => {
    expect(result, result.stderr).toMatchObject({ exitCode: 1, signal: null });
    const { runs } = JSON.parse(result.stdout) as Told;
    expect(runs.map(({ status }) => status)).toEqual(['failed']);
    const reconciled = await chargeback([
      'reconcile',
      '--config',
      config,
      '--tenant',
      'scale',
      '--by',
      'line',
    ]);
    expect(reconciled, reconciled.stdout).toMatchObject({ exitCode: 0 });
    return runs[0]!.problems.map(({ code }) => code);
  };
  const expectUndisturbed = async (config: string, out: string): Promise<void> => {
    expect(await run(config)).toMatchObject({ exitCode: 0 });
    expect(await filesIn(out)).toEqual(undisturbed);
    const again = JSON.parse((await run(config)).stdout) as Told;
    expect(again.runs).toMatchObject([{ dates_calculated: 0, periods_emitted: 0, problems: [] }]);
  };

  beforeAll(async () => {
    folder = await temporaryFolder();
    simulator = await startPrometheusSimulator({ model: scaleModel(shape) });
    const { config, database, out } = await prepare('undisturbed', 'database');
    expect(await run(config)).toMatchObject({ exitCode: 0 });
    undisturbed = await filesIn(out);
    const output = Object.values(undisturbed).reduce((sum, text) => sum + text.length, 0);
    needed = { database: statSync(database).size, output };
  });
  afterAll(async () => {
    await simulator?.stop();
    await folder?.remove();
  });

  it.for([
    ['database', 'CB_STORAGE_WRITE', [0.7, 1.2, 1.7, 2.2]],
    ['output', 'CB_EMIT_FAILED', [0.1, 0.5, 0.9]],
  ] as const)(
    'says so, loses nothing, and ends in the same bytes once there is space for the %s',
    async ([small, code, shares], { skip }) => {
      const { disk, config, out } = await prepare(small, small);
      if (!mayMount(disk)) skip('this process may not mount a file system');
      const sizeOf = (share: number): string => `size=${Math.ceil((needed[small] * share) / 4096) * 4096}`;
      const codes = new Set<string>();
      mount(disk, sizeOf(shares[0]));
      try {
        for (const share of shares) {
          execFileSync('mount', ['-o', `remount,${sizeOf(share)}`, disk]);
          const result = await run(config);
          if (result.exitCode === 0) break;
          for (const told of await codesOf(result, config)) codes.add(told);
        }
        expect([...codes]).toEqual([code]);
        execFileSync('mount', ['-o', `remount,${sizeOf(6)}`, disk]);
        await expectUndisturbed(config, out);
      } finally {
        execFileSync('umount', [disk]);
      }
    },
  );

  // For those who may not mount: a limit on the size of files refuses at the same places.
  it.skipIf(process.platform === 'win32')('does so too when a file may not grow any more', async () => {
    const { config, out } = await prepare('limited', 'database');
    const codes = new Set<string>();
    for (const share of [0.6, 0.75, 0.95]) {
      const result = await run(config, { largestFile: Math.floor(needed.database * share) });
      for (const told of await codesOf(result, config)) codes.add(told);
    }
    expect([...codes]).toEqual(['CB_STORAGE_WRITE']);
    await expectUndisturbed(config, out);
  });
});
