import path from 'node:path';
import { runJob, startService } from './child-process.ts';
import type { CyclesJob, CycleResult, ServeJob, Served } from './jobs.ts';

const HOUR = 3_600_000;

/** Titles by how much later than the first run a cycle is: within the gap in which nothing is asked again, and beyond it. */
const CYCLES = new Map([
  [0, 'first'],
  [60_000, 'a minute later'],
  [2 * HOUR, 'asked again'],
  [4 * HOUR, 'and again'],
]);

/** What the cycles of a worker take, all in one process, on SQLite: milliseconds, and what part of the first they are. */
export async function measureCycles(
  serveJob: ServeJob,
  folder: string,
): Promise<Record<string, string | number>[]> {
  await using service = await startService<Served>('serve', serveJob);
  const database = `sqlite:///${path.join(folder, 'bench.db')}`;
  const { shape } = serveJob;
  const job: CyclesJob = { shape, served: service.ready, folder, database, cycles: [...CYCLES.keys()] };
  const cycles = await runJob<CycleResult[]>('run-cycles', job);
  const titles = [...CYCLES.values()];
  return cycles.map(({ milliseconds, rows, requests, stages }, index) => ({
    shape,
    cycle: titles[index]!,
    ms: Math.round(milliseconds),
    '% of the first': ((100 * milliseconds) / cycles[0]!.milliseconds).toFixed(1),
    'rows written': rows,
    requests,
    ...stages,
  }));
}
