import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('./run-many-days.ts', import.meta.url));
const DAYS = 240;
const EVERY = 10;
/** What a heap may differ by at two moments without anything being kept. */
const NOISE = 1.05;

// Another process cannot ask this one for its PostgreSQL; the memory is that of the engine either way.
const onPostgres = process.env['TEST_DATABASE'] === 'postgres';

it.skipIf(onPostgres)(
  'needs no more memory after eight months than after three',
  async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--conditions=@chargeback/source',
      '--expose-gc',
      '--no-warnings',
      script,
      String(DAYS),
      String(EVERY),
    ]);
    const measured = stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as { day: number; heapUsed: number });
    expect(measured.at(-1)?.day).toBe(DAYS);
    // By then retention has removed its first days, and everything is compiled.
    const settled = measured.filter(({ day }) => day > 90).map(({ heapUsed }) => heapUsed);
    const half = Math.floor(settled.length / 2);
    const lowest = (heaps: readonly number[]): number => Math.min(...heaps);
    expect(lowest(settled.slice(half)) / lowest(settled.slice(0, half))).toBeLessThan(NOISE);
  },
  300_000,
);
