// npm run bench -- [--shape NAME] [--identities N] [--days N] [--clusters N] [--times N] [--repeat N]
// npm run bench -- --storage [--rows N]: the store alone, on SQLite and on PostgreSQL
// npm run bench -- --micro: the parts that see every row, each alone
// npm run bench -- --growth [--repeat N]: how cost grows with days, identities and clusters
// npm run bench -- --check: fails when a small size has become slower against its floor; --record takes it as it is
// Bills simulated platforms and prints what that took, and what the same job takes without the engine (the floor).
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { check, record } from './check.ts';
import { measureGrowth } from './growth.ts';
import { type Measurement, measureShape } from './measure-shape.ts';
import { runMicro } from './micro.ts';
import { type ShapeName, shapeNamed, SHAPES, type ShapeSize } from './shapes.ts';
import { runStorage } from './storage.ts';

const { values } = parseArgs({
  options: {
    shape: { type: 'string', multiple: true },
    identities: { type: 'string' },
    days: { type: 'string', default: '30' },
    clusters: { type: 'string' },
    times: { type: 'string', default: '1' },
    repeat: { type: 'string', default: '1' },
    storage: { type: 'boolean', default: false },
    micro: { type: 'boolean', default: false },
    growth: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    rows: { type: 'string', default: '1000000' },
  },
});

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

function ratio(left: number, right: number): string {
  return (left / right).toFixed(2);
}

function print({ shape, size, engine, floor, second }: Measurement): void {
  const { identities, days, clusters } = size;
  console.log(`${shape}: ${identities} identities, ${days} days, ${clusters} clusters`);
  const row = (run: string, { wallSeconds, cpuSeconds, peakMegabytes }: typeof floor | typeof engine) => ({
    run,
    'wall s': wallSeconds.toFixed(2),
    'CPU s': cpuSeconds.toFixed(2),
    'peak MB': Math.round(peakMegabytes),
  });
  console.table([
    {
      ...row('first', engine),
      rows: engine.rows,
      'rows/s': Math.round(engine.rows / engine.wallSeconds),
      requests: engine.requests,
    },
    { ...row('floor', floor), 'HTTP MB': (floor.receivedBytes / 1e6).toFixed(1) },
    { ...row('second cycle, nothing changed', second), rows: second.rows, requests: second.requests },
  ]);
  const { parse, insert, csv } = floor.parts;
  console.log(
    `first / floor: wall ${ratio(engine.wallSeconds, floor.wallSeconds)}, CPU ${ratio(engine.cpuSeconds, floor.cpuSeconds)}`,
    `· floor CPU: parse ${parse.toFixed(2)} s, insert ${insert.toFixed(2)} s, CSV ${csv.toFixed(2)} s`,
    `· first by stage: ${JSON.stringify(engine.stages)} ms\n`,
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

async function benchShapes(repeat: number): Promise<void> {
  const shapes = values.shape?.map(shapeNamed) ?? (Object.keys(SHAPES) as ShapeName[]);
  for (const shape of shapes) print(await measureShape(shape, sizeOf(shape), repeat));
}

async function main(): Promise<void> {
  const repeat = wholeNumber('repeat', values.repeat);
  const rows = wholeNumber('rows', values.rows);
  if (values.storage) await inFolder((folder) => runStorage({ rows, folder }));
  else if (values.micro) await inFolder(runMicro);
  else if (values.growth) console.table(await measureGrowth(repeat));
  else if (values.record) await record();
  else if (values.check) process.exitCode = (await check()) ? 0 : 1;
  else await benchShapes(repeat);
}

await main();
