// npm run bench -- [--shape NAME] [--identities N] [--days N]
// npm run bench -- --storage [--rows N]: the store alone, on SQLite and on PostgreSQL
// Bills a simulated platform in one process for each shape and prints what it took: wall time, CPU, peak memory,
// rows per second. `process s` is from the start of the process, loading the program included.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { billSimulated } from './bill-simulated.ts';
import { type ShapeName, SHAPES } from './shapes.ts';
import { runStorage } from './storage.ts';

const { values } = parseArgs({
  options: {
    shape: { type: 'string' },
    identities: { type: 'string' },
    days: { type: 'string', default: '30' },
    storage: { type: 'boolean', default: false },
    rows: { type: 'string', default: '1000000' },
  },
});

/** Peak memory is a process's own: each shape has one to itself. */
function runEachShape(): void {
  for (const shape of Object.keys(SHAPES)) {
    const given = ['--shape', shape, ...process.argv.slice(2)];
    const file = fileURLToPath(import.meta.url);
    const { status } = spawnSync(process.execPath, [...process.execArgv, file, ...given], {
      stdio: 'inherit',
    });
    if (status !== 0) process.exitCode = 1;
  }
}

async function runShape(name: ShapeName): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'chargeback-bench-'));
  try {
    const { make, identities } = SHAPES[name];
    const shape = make({ identities: Number(values.identities ?? identities), days: Number(values.days) });
    const first = await billSimulated(shape, folder);
    const processSeconds = (performance.now() / 1000).toFixed(2);
    const second = await billSimulated(shape, folder);
    console.log(name);
    console.table([
      { run: 'first', ...first, 'process s': processSeconds },
      { run: 'second, nothing changed', ...second },
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function benchStorage(): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'chargeback-bench-'));
  try {
    console.table(await runStorage({ rows: Number(values.rows), folder }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (values.storage) await benchStorage();
else if (values.shape === undefined) runEachShape();
else if (Object.hasOwn(SHAPES, values.shape)) await runShape(values.shape as ShapeName);
else throw new Error(`no shape ${values.shape}; there are ${Object.keys(SHAPES).join(' and ')}`);
