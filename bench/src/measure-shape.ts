import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BenchDatabase, type DatabaseName, openBenchDatabase } from './bench-database.ts';
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
import { median } from './median.ts';
import type { ShapeName, ShapeSize } from './shapes.ts';

/** What was run one after another, so that a machine that is busy for a while is busy for all of it. */
interface Round {
  readonly engine: EngineResult;
  readonly floor: FloorResult;
  /** A second run on what the first one left, a minute later and in a process of its own. */
  readonly second: EngineResult;
  /** A third one, two hours later: a source that restates its bill is asked again. */
  readonly askedAgain: EngineResult;
}

/** The medians of several rounds, each figure by itself. */
export interface Measurement extends Round {
  readonly shape: ShapeName;
  readonly size: ShapeSize;
  readonly database: DatabaseName;
  /** Engine over floor, the median of what each round came to. */
  readonly ratio: { readonly wall: number; readonly cpu: number };
  /** The same of the CPU that rows take: without what a cycle without changes takes, mostly loading the program. */
  readonly ratioOfRows: number;
}

export interface ShapeToMeasure {
  readonly shape: ShapeName;
  readonly size: ShapeSize;
  readonly database: DatabaseName;
  /** Rounds. */
  readonly repeat: number;
  /** Metrics sample by sample, though the server would add them up. */
  readonly hourly?: boolean;
}

/** Within the gap in which a source is not asked again, and beyond it. */
const SECOND_CYCLE_LATER = 60_000;
const ASKED_AGAIN_LATER = 2 * 3_600_000;

/** Bills a shape and does the same job bare, in turns. The simulator serves from a process of its own. */
export async function measureShape({
  shape,
  size,
  database,
  repeat,
  hourly = false,
}: ShapeToMeasure): Promise<Measurement> {
  const serveJob: ServeJob = { shape, size, hourly };
  await using service = await startService<Served>('serve', serveJob);
  await using benchDatabase = await openBenchDatabase(database);
  const rounds: Round[] = [];
  while (rounds.length < repeat) rounds.push(await measureRound(benchDatabase, serveJob, service.ready));
  const middle = (figure: (round: Round) => number): number => median(rounds.map(figure));
  return {
    shape,
    size,
    database,
    engine: { ...rounds[0]!.engine, ...medians(rounds.map(({ engine }) => engine)) },
    floor: { ...rounds[0]!.floor, ...medians(rounds.map(({ floor }) => floor)) },
    second: { ...rounds[0]!.second, ...medians(rounds.map(({ second }) => second)) },
    askedAgain: { ...rounds[0]!.askedAgain, ...medians(rounds.map(({ askedAgain }) => askedAgain)) },
    ratio: {
      wall: middle(({ engine, floor }) => engine.wallSeconds / floor.wallSeconds),
      cpu: middle(({ engine, floor }) => engine.cpuSeconds / floor.cpuSeconds),
    },
    ratioOfRows: middle(({ engine, floor, second }) => {
      return (engine.cpuSeconds - second.cpuSeconds) / floor.cpuSeconds;
    }),
  };
}

function medians(figures: readonly Figures[]): Figures {
  return {
    wallSeconds: median(figures.map(({ wallSeconds }) => wallSeconds)),
    cpuSeconds: median(figures.map(({ cpuSeconds }) => cpuSeconds)),
    peakMegabytes: median(figures.map(({ peakMegabytes }) => peakMegabytes)),
  };
}

async function measureRound(
  database: BenchDatabase,
  { shape, size }: ServeJob,
  served: Served,
): Promise<Round> {
  const folder = await mkdtemp(path.join(tmpdir(), 'chargeback-bench-'));
  try {
    await using pair = await database.makePair(folder);
    const job: EngineJob = { shape, served, folder, database: pair.engine, laterMilliseconds: 0 };
    const engine = await runJob<EngineResult>('run-engine', job);
    const floor = await runJob<FloorResult>('run-floor', {
      origin: served.origin,
      requestsFile: requestsFile(folder),
      database: pair.floor,
      folder: await emptyFolder(path.join(folder, 'floor')),
      days: size.days,
      ...(await pair.countRows()),
      ...(await lengthOfFiles(path.join(folder, 'csv'))),
    } satisfies FloorJob);
    const after = (laterMilliseconds: number): Promise<EngineResult> =>
      runJob<EngineResult>('run-engine', { ...job, laterMilliseconds } satisfies EngineJob);
    const second = await after(SECOND_CYCLE_LATER);
    return { engine, floor, second, askedAgain: await after(ASKED_AGAIN_LATER) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function emptyFolder(folder: string): Promise<string> {
  await mkdir(folder);
  return folder;
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
