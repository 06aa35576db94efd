import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Connection from 'better-sqlite3';
import { runJob, startService } from './child-process.ts';
import type { Figures } from './figures.ts';
import {
  type EngineJob,
  type EngineResult,
  type FloorJob,
  type FloorResult,
  requestsFile,
  type ServeJob,
  type Served,
} from './jobs.ts';
import type { ShapeName, ShapeSize } from './shapes.ts';

export interface Measurement {
  readonly shape: ShapeName;
  readonly size: ShapeSize;
  readonly engine: EngineResult;
  readonly floor: FloorResult;
  /** A second run on what the first one left, two hours later and in a process of its own. */
  readonly second: EngineResult;
}

/** Longer than the gap within which a source is not asked again. */
const SECOND_CYCLE_LATER = 2 * 3_600_000;

/**
 * Bills a shape and does the same job bare, `repeat` times in turns; of each the least is kept, as what else runs
 * on a machine only ever adds. The simulator serves from a process of its own.
 */
export async function measureShape(shape: ShapeName, size: ShapeSize, repeat: number): Promise<Measurement> {
  const serveJob: ServeJob = { shape, size };
  await using service = await startService<Served>('./serve.ts', serveJob);
  let engine: EngineResult | null = null;
  let floor: FloorResult | null = null;
  let second: EngineResult | null = null;
  for (let round = 0; round < repeat; round += 1) {
    const folder = await mkdtemp(path.join(tmpdir(), 'chargeback-bench-'));
    try {
      const job: EngineJob = {
        shape,
        served: service.ready,
        folder,
        database: `sqlite:///${path.join(folder, 'bench.db')}`,
        laterMilliseconds: 0,
      };
      engine = least(engine, await runJob<EngineResult>('./run-engine.ts', job));
      const floorJob = await floorOf(job, size.days);
      floor = least(floor, await runJob<FloorResult>('./run-floor.ts', floorJob));
      const again = { ...job, laterMilliseconds: SECOND_CYCLE_LATER };
      second = least(second, await runJob<EngineResult>('./run-engine.ts', again));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return { shape, size, engine: engine!, floor: floor!, second: second! };
}

/** Each figure by itself: a process may be lucky with one and not with another. */
function least<Result extends Figures>(before: Result | null, now: Result): Result {
  if (!before) return now;
  return {
    ...now,
    wallSeconds: Math.min(before.wallSeconds, now.wallSeconds),
    cpuSeconds: Math.min(before.cpuSeconds, now.cpuSeconds),
    peakMegabytes: Math.min(before.peakMegabytes, now.peakMegabytes),
  };
}

/** The floor writes as much as the engine left behind. */
async function floorOf({ folder, served }: EngineJob, days: number): Promise<FloorJob> {
  const floorFolder = path.join(folder, 'floor');
  await mkdir(floorFolder);
  const database = new Connection(path.join(folder, 'bench.db'), { readonly: true });
  const count = (table: string) => database.prepare(`select count(*) from ${table}`).pluck().get() as number;
  const rows = { factRows: count('chargeback_facts'), usageRows: count('usage_rows') };
  database.close();
  return {
    origin: served.origin,
    requestsFile: requestsFile(folder),
    folder: floorFolder,
    days,
    ...rows,
    ...(await lengthOfFiles(path.join(folder, 'csv'))),
  };
}

async function lengthOfFiles(folder: string): Promise<Pick<FloorJob, 'csvRows' | 'csvBytes'>> {
  let csvRows = 0;
  let csvBytes = 0;
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.csv')) continue;
    const bytes = await readFile(path.join(folder, name));
    csvBytes += bytes.length;
    for (let at = bytes.indexOf('\n'); at >= 0; at = bytes.indexOf('\n', at + 1)) csvRows += 1;
    csvRows -= 1;
  }
  return { csvRows, csvBytes };
}
