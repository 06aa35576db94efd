// npm run bench -- [--shape NAME] [--database sqlite|postgres] [--identities N] [--days N] [--clusters N]
//   [--times N] [--repeat N]: --times multiplies the identities, --repeat gives medians; default: all on both databases
//   --hourly: metrics sample by sample, as from a server that adds nothing up
// npm run bench -- --storage [--rows N]: the store alone, on SQLite and on PostgreSQL
// npm run bench -- --micro: the parts that see every row, each alone
// npm run bench -- --growth [--repeat N]: how cost grows with days, identities and clusters
// npm run bench -- --cycles [--shape NAME]: the cycles of a worker without changes, in one process
// npm run bench -- --check: fails when a small size has become slower against its floor; --record takes it as it is
// Bills simulated platforms and prints what that took, and what the same job takes without the engine (the floor).
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DATABASE_NAMES, type DatabaseName } from './bench-database.ts';
import { check, record } from './check.ts';
import { measureCycles } from './cycles.ts';
import type { Figures } from './figures.ts';
import { measureGrowth } from './growth.ts';
import type { EngineResult } from './jobs.ts';
import { type Measurement, measureShape } from './measure-shape.ts';
import { runMicro } from './micro.ts';
import { type ShapeName, shapeNamed, SHAPES, type ShapeSize } from './shapes.ts';
import { runStorage } from './storage.ts';

const { values } = parseArgs({
  options: {
    shape: { type: 'string', multiple: true },
    database: { type: 'string', multiple: true },
    identities: { type: 'string' },
    days: { type: 'string', default: '30' },
    clusters: { type: 'string' },
    times: { type: 'string', default: '1' },
    repeat: { type: 'string', default: '1' },
    hourly: { type: 'boolean', default: false },
    storage: { type: 'boolean', default: false },
    micro: { type: 'boolean', default: false },
    growth: { type: 'boolean', default: false },
    cycles: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    rows: { type: 'string', default: '1000000' },
  },
});

function databaseNamed(text: string): DatabaseName {
  const name = DATABASE_NAMES.find((one) => one === text);
  if (name) return name;
  throw new Error(`--database ${text}: give one of ${DATABASE_NAMES.join(', ')}`);
}

function sizeOf(shape: ShapeName): ShapeSize {
  const { identities, clusters } = SHAPES[shape];
  return {
    identities:
      wholeNumber('identities', values.identities ?? String(identities)) * wholeNumber('times', values.times),
    days: wholeNumber('days', values.days),
    clusters: wholeNumber('clusters', values.clusters ?? String(clusters)),
  };
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`--${option} ${text}: give a whole number above 0`);
}

const DATABASE_TITLES: Readonly<Record<DatabaseName, string>> = { sqlite: 'SQLite', postgres: 'PostgreSQL' };

function figuresOf(run: string, { wallSeconds, cpuSeconds, peakMegabytes }: Figures) {
  return {
    run,
    'wall s': wallSeconds.toFixed(2),
    'CPU s': cpuSeconds.toFixed(2),
    'peak MB': Math.round(peakMegabytes),
  };
}

function cycleRow(run: string, cycle: EngineResult): Record<string, string | number> {
  return { ...figuresOf(run, cycle), rows: cycle.rows, requests: cycle.requests };
}

function print({ shape, size, database, engine, floor, ratio, second, askedAgain }: Measurement): void {
  const { identities, days, clusters } = size;
  console.log(
    `${shape} on ${DATABASE_TITLES[database]}: ${identities} identities, ${days} days, ${clusters} clusters`,
  );
  const received = { 'HTTP MB': (floor.receivedBytes / 1e6).toFixed(1) };
  console.table([
    {
      ...figuresOf('first', engine),
      rows: engine.rows,
      'rows/s': Math.round(engine.rows / engine.wallSeconds),
      requests: engine.requests,
      ...received,
    },
    { ...figuresOf('floor', floor), requests: engine.requests, ...received },
    { run: 'first / floor', 'wall s': ratio.wall.toFixed(2), 'CPU s': ratio.cpu.toFixed(2) },
    cycleRow('second cycle', second),
    cycleRow('asked again', askedAgain),
  ]);
  const { parse, insert, csv } = floor.parts;
  console.log(
    `floor's CPU: parse ${parse.toFixed(2)} s, insert ${insert.toFixed(2)} s, CSV ${csv.toFixed(2)} s`,
    `· stages of the first: ${JSON.stringify(engine.stages)} ms\n`,
  );
}

async function inFolder(work: (folder: string) => Promise<Record<string, string | number>[]>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'chargeback-bench-'));
  try {
    console.table(await work(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function chosenShapes(): readonly ShapeName[] {
  return values.shape?.map(shapeNamed) ?? (Object.keys(SHAPES) as ShapeName[]);
}

async function benchCycles(): Promise<void> {
  for (const shape of chosenShapes()) {
    await inFolder((folder) => measureCycles({ shape, size: sizeOf(shape), hourly: values.hourly }, folder));
  }
}

async function benchShapes(repeat: number): Promise<void> {
  const databases = values.database?.map(databaseNamed) ?? DATABASE_NAMES;
  for (const shape of chosenShapes()) {
    for (const database of databases) {
      print(await measureShape({ shape, size: sizeOf(shape), database, repeat, hourly: values.hourly }));
    }
  }
}

async function main(): Promise<void> {
  const repeat = wholeNumber('repeat', values.repeat);
  const rows = wholeNumber('rows', values.rows);
  if (values.storage) await inFolder((folder) => runStorage({ rows, folder }));
  else if (values.micro) await inFolder(runMicro);
  else if (values.cycles) await benchCycles();
  else if (values.growth) console.table(await measureGrowth(repeat));
  else if (values.record) await record();
  else if (values.check) process.exitCode = (await check()) ? 0 : 1;
  else await benchShapes(repeat);
}

await main();
