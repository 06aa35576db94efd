import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openStore, type Store } from '@chargeback/storage';
import {
  postgresAvailable,
  type RealPostgres,
  scaleConfigYaml,
  scaleModel,
  scaleRowsPerDay,
  startPrometheusSimulator,
  startRealPostgres,
} from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { chargeback, type CommandResult, temporaryFolder, until } from './support.ts';

/** How long two workers share a database: `TWO_WORKERS_SECONDS=600` for ten minutes. */
const SECONDS = Number(process.env['TWO_WORKERS_SECONDS'] ?? 12);
/** One day after another becomes known while they work. */
const DAYS = Math.min(120, Math.max(6, Math.round(SECONDS / 8)));
const DAY = 86_400_000;
// The configuration leaves out the newest day.
const END = Math.floor(Date.now() / DAY) * DAY - DAY;
const shape = { identities: 30, costTypes: 3, queries: 2, days: DAYS, endDate: new Date(END) };
const WINDOW = { start: new Date(END - DAYS * DAY), end: new Date(END) };
const FEATURES = 'features: { refresh_interval: 1 }\n';

type Simulator = Awaited<ReturnType<typeof startPrometheusSimulator>>;

/** Nothing that is asked beyond this instant is answered. */
function hideAfter(simulator: Simulator, instant: number): void {
  const effect = { kind: 'error', errorType: 'bad_data', error: 'not known yet', status: 400 } as const;
  const millisecondsOf = (text: string): number => (Number(text) ? Number(text) * 1000 : Date.parse(text));
  simulator.setFaults([{ when: ({ end, time }) => millisecondsOf(end ?? time ?? '') > instant, effect }]);
}

/** What one worker's log says it did. */
function toldBy({ stderr }: CommandResult): { runs: number; calculated: number; leftToOther: number } {
  const lines = stderr
    .split('\n')
    .filter((text) => text.startsWith('{'))
    .map((text) => JSON.parse(text) as { msg: string; calculated?: number; status?: string });
  const runs = lines.filter(({ status }) => status !== undefined);
  return {
    runs: runs.length,
    calculated: runs.reduce((sum, { calculated }) => sum + (calculated ?? 0), 0),
    leftToOther: lines.filter(({ msg }) => msg.startsWith('left to the process')).length,
  };
}

/** How often each date was calculated, by the runs on record. */
async function calculationsOf(store: Store): Promise<{ dates: number; calculations: number; rows: number }> {
  const runs = await store.runs(1_000_000);
  const states = await store.dateStates(WINDOW);
  for (const { startedAt, endedAt, datesCalculated } of runs) {
    const last = states.filter(({ calculatedAt }) => calculatedAt! >= startedAt && calculatedAt! <= endedAt!);
    // Whatever a run has calculated is still as that run left it.
    expect(last.length).toBe(datesCalculated);
  }
  // A day that waited has no rows to replace.
  const replaced = (await store.revisions(WINDOW)).filter(({ before }) => before.allocated !== 0n);
  expect(replaced).toEqual([]);
  expect(new Set(states.map(({ state }) => state))).toEqual(new Set(['calculated']));
  return {
    dates: states.length,
    calculations: runs.reduce((sum, { datesCalculated }) => sum + datesCalculated, 0),
    rows: states.reduce((sum, { rowCount }) => sum + rowCount, 0),
  };
}

interface Outcome {
  readonly exitCodes: readonly (number | null)[];
  readonly told: readonly ReturnType<typeof toldBy>[];
  readonly counted: Awaited<ReturnType<typeof calculationsOf>>;
}

async function share(database: string, config: string, simulator: Simulator): Promise<Outcome> {
  const connection = {
    ecosystem: 'generic-metrics',
    tenantId: 'scale',
    workingDirectory: path.dirname(config),
  };
  const stops: (() => void)[] = [];
  const startedAt = performance.now();
  const revealed = (): number =>
    Math.min(DAYS, 1 + Math.floor(((performance.now() - startedAt) / 1000 / SECONDS) * DAYS));
  hideAfter(simulator, WINDOW.start.getTime() + DAY);
  const workers = ['first', 'second'].map(() =>
    chargeback(['worker', '--config', config], {
      onStart: (child) => stops.push(() => child.kill('SIGTERM')),
    }),
  );
  try {
    while (performance.now() - startedAt < SECONDS * 1000) {
      await pause(Math.min(1000, (SECONDS * 1000) / DAYS / 2));
      hideAfter(simulator, WINDOW.start.getTime() + revealed() * DAY);
    }
    hideAfter(simulator, Number.POSITIVE_INFINITY);
    await using store = await openStore({ ...connection, connectionString: database });
    await until(
      () => store.dateStates(WINDOW),
      (states) => states.filter(({ state }) => state === 'calculated').length === DAYS,
    );
  } finally {
    for (const stop of stops) stop();
  }
  const ended = await Promise.all(workers);
  await using store = await openStore({ ...connection, connectionString: database });
  return {
    exitCodes: ended.map(({ exitCode }) => exitCode),
    told: ended.map(toldBy),
    counted: await calculationsOf(store),
  };
}

describe('two workers on one database', () => {
  it.each(['sqlite', ...(postgresAvailable() ? ['postgres'] : [])])(
    'calculate every date exactly once, on %s',
    async (database) => {
      const folder = await temporaryFolder();
      const simulator = await startPrometheusSimulator({ model: scaleModel(shape) });
      let server: RealPostgres | undefined;
      try {
        const file = path.join(folder.path, 'shared.db');
        const config = path.join(folder.path, 'shared.yaml');
        const out = path.join(folder.path, 'out');
        let yaml = scaleConfigYaml(shape, simulator.url, { database: file, outputDirectory: out });
        let url = `sqlite:///${file}`;
        if (database === 'postgres') {
          server = await startRealPostgres();
          yaml = yaml.replace(url, server.url('postgres'));
          url = server.url('postgres');
        }
        // Days that are not known yet are no reason to give up.
        yaml = yaml.replace(/^( *)lookback_days:/m, '$1gather_failure_threshold: 1000000\n$1lookback_days:');
        await writeFile(config, `${FEATURES}${yaml}`);
        const { exitCodes, told, counted } = await share(url, config, simulator);
        const { dates, calculations, rows } = counted;
        console.log(
          `${database}, ${SECONDS} seconds: ${dates} dates, ${calculations} calculations, ${rows} rows`,
        );
        console.table(told);
        expect(exitCodes).toEqual([0, 0]);
        expect(counted).toEqual({ dates: DAYS, calculations: DAYS, rows: DAYS * scaleRowsPerDay(shape) });
        const sum = (of: 'calculated' | 'leftToOther'): number => told.reduce((all, one) => all + one[of], 0);
        expect(sum('calculated')).toBe(DAYS);
        // They did get in each other's way, and both did work.
        expect(sum('leftToOther')).toBeGreaterThan(0);
        expect(Math.min(...told.map(({ runs }) => runs))).toBeGreaterThan(0);
      } finally {
        await server?.dispose();
        await simulator.stop();
        await folder.remove();
      }
    },
    (SECONDS + 180) * 1000,
  );
});
