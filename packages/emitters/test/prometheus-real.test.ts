import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { money } from '@chargeback/money';
import type { ChargebackRow } from '@chargeback/plugin-api';
import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { createPrometheusEmitter, prometheusParamsSchema } from '../src/index.ts';
import { batch, never, row, temporaryFolder } from './support.ts';

const run = promisify(execFile);
const NASTY = [
  'plain',
  'quo"te',
  'back\\slash',
  'new\nline',
  'ret\rurn',
  'brace}',
  'ümlaut 🦊',
  '# EOF',
  'nul\0',
  '\t',
];
const DATES = ['2026-01-30', '2026-01-31', '2026-02-01', '2026-02-02', '2026-02-03'];

function emitterIn(folder: string) {
  return createPrometheusEmitter(prometheusParamsSchema.parse({ output_dir: folder }), {
    tenantId: 'acme',
    ecosystem: 'generic-metrics',
  });
}

/** Rows of a day whose amounts say which day and who. */
function rowsOf(date: string, start: Date): ChargebackRow[] {
  const index = DATES.indexOf(date);
  return NASTY.map((identityId, who) =>
    row({ identityId, timestamp: start, amount: money(BigInt((index + 1) * 1000 + who) * 10_000n, 'USD') }),
  );
}

async function emitAll(folder: string, aggregation: 'daily' | 'hourly'): Promise<void> {
  const emitter = emitterIn(folder);
  for (const date of DATES) {
    const start = new Date(`${date}T00:00:00Z`);
    const period = { start, end: new Date(start.getTime() + 86_400_000) };
    const hours = aggregation === 'hourly' ? [0, 7, 23] : [0];
    const chunks = hours.map((hour) => rowsOf(date, new Date(start.getTime() + hour * 3_600_000)));
    await emitter.emit(batch(chunks, { period, batchId: date, aggregation }), never);
  }
  await emitter.finish!(aggregation, never);
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

async function series(url: string, selector: string): Promise<Series[]> {
  const query = new URLSearchParams({ query: selector, time: '1772000000' });
  const answer = (await (await fetch(`${url}/api/v1/query?${query}`)).json()) as {
    data: { result: Series[] };
  };
  return answer.data.result;
}

/** The documented way: all files as one. */
async function joined(folder: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', "grep -hv '^# EOF$' ./*.om; echo '# EOF'"], { cwd: folder });
  return stdout;
}

describe.skipIf(!requireReal('Prometheus emitter', process.env))('with the real Prometheus', () => {
  it.each(['daily', 'hourly'] as const)(
    'loads %s files as one and answers with the billed times and amounts',
    async (aggregation) => {
      await using folder = await temporaryFolder();
      await emitAll(folder.path, aggregation);
      const prometheus = await startRealPrometheus({ openMetrics: await joined(folder.path) });
      try {
        const metric = aggregation === 'daily' ? 'chargeback_daily_cost' : 'chargeback_hourly_cost';
        const found = await series(prometheus.url, `${metric}{tenant_id="acme"}[60d]`);
        expect(found.map(({ metric: labels }) => labels['identity_id']).toSorted()).toEqual(
          NASTY.map((name) => name.replace('\0', '\u{fffd}')).toSorted(),
        );
        const hours = aggregation === 'daily' ? [0] : [0, 7, 23];
        for (const { metric: labels, values } of found) {
          const who = NASTY.findIndex((name) => name.replace('\0', '\u{fffd}') === labels['identity_id']);
          expect(values).toEqual(
            DATES.flatMap((date, index) =>
              hours.map((hour) => [
                Date.parse(`${date}T00:00:00Z`) / 1000 + hour * 3600,
                String(((index + 1) * 1000 + who) / 10_000),
              ]),
            ),
          );
        }
      } finally {
        await prometheus.stop();
      }
    },
  );

  it('loads each file by itself, also beside the others', async () => {
    await using folder = await temporaryFolder();
    await emitAll(folder.path, 'daily');
    const files = (await readdir(folder.path)).filter((name) => name.endsWith('.om'));
    expect(files).toHaveLength(DATES.length);
    for (const name of files) {
      const args = ['tsdb', 'create-blocks-from', 'openmetrics', name, 'data'];
      const { stdout } = await run('promtool', args, { cwd: folder.path });
      expect(stdout).toContain(String(NASTY.length));
    }
    // What a dump wants to find beside the blocks.
    await mkdir(path.join(folder.path, 'data', 'wal'));
    const { stdout } = await run('promtool', ['tsdb', 'dump', 'data'], { cwd: folder.path });
    expect(stdout.trimEnd().split('\n').length).toBe(DATES.length * NASTY.length);
  });

  it('finds nothing wrong with the gauges', async () => {
    await using folder = await temporaryFolder();
    await emitAll(folder.path, 'daily');
    const gauges = path.join(folder.path, 'chargeback+generic-metrics+acme.prom');
    const checked = await run('sh', ['-c', `promtool check metrics < '${gauges}'`]);
    expect(checked.stderr).toBe('');
    expect(await readFile(gauges, 'utf8')).not.toMatch(/\} \S+ \d+$/m);
  });
});
