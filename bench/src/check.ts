import { readFile, writeFile } from 'node:fs/promises';
import { measureShape } from './measure-shape.ts';
import type { ShapeName, ShapeSize } from './shapes.ts';

/** What was measured when the file was last written. */
interface Recorded {
  readonly shape: ShapeName;
  readonly size: ShapeSize;
  /** Rows a second of the engine's CPU over those of the floor's. */
  readonly rowsPerFloorUnit: number;
}

const FILE = new URL('../recorded.json', import.meta.url);
/** Of the recorded value that may be lost before the check fails. */
const TOLERATED_LOSS = 1 / 3;
/** Rounds, of which the median counts: what else runs on the machine disturbs one of them, not most. */
const REPEAT = 5;
const SIZES: readonly Omit<Recorded, 'rowsPerFloorUnit'>[] = [
  { shape: 'generic-metrics', size: { identities: 300, days: 10, clusters: 1 } },
  { shape: 'self-managed-kafka', size: { identities: 1000, days: 10, clusters: 1 } },
  { shape: 'ccloud', size: { identities: 200, days: 10, clusters: 5 } },
];

/**
 * A ratio, not a time: how fast the machine is does not count. CPU, because what else runs on the machine takes
 * from wall time first. What a cycle without changes takes (mostly loading the program) is left out, as it would
 * hide the rest at so small a size.
 */
async function rowsPerFloorUnit(shape: ShapeName, size: ShapeSize): Promise<number> {
  return 1 / (await measureShape({ shape, size, database: 'sqlite', repeat: REPEAT })).ratioOfRows;
}

/** Measures anew and writes the values that later checks compare with. */
export async function record(): Promise<void> {
  const recorded: Recorded[] = [];
  for (const { shape, size } of SIZES) {
    const value = await rowsPerFloorUnit(shape, size);
    recorded.push({ shape, size, rowsPerFloorUnit: Number(value.toFixed(3)) });
  }
  await writeFile(FILE, `${JSON.stringify(recorded, null, 2)}\n`);
  console.table(
    recorded.map(({ shape, rowsPerFloorUnit: value }) => ({ shape, 'rows per floor-unit': value })),
  );
}

/** False when a shape has become slower by more than is tolerated. One that seems so is measured once more. */
export async function check(): Promise<boolean> {
  const table: Record<string, string | number>[] = [];
  let passed = true;
  const recorded = JSON.parse(await readFile(FILE, 'utf8')) as Recorded[];
  for (const { shape, size, rowsPerFloorUnit: before } of recorded) {
    const least = before * (1 - TOLERATED_LOSS);
    let now = await rowsPerFloorUnit(shape, size);
    if (now < least) now = Math.max(now, await rowsPerFloorUnit(shape, size));
    if (now < least) passed = false;
    table.push({
      shape,
      'rows per floor-unit': now.toFixed(3),
      recorded: before.toFixed(3),
      'fails below': least.toFixed(3),
      verdict: now < least ? 'slower' : 'ok',
    });
  }
  console.table(table);
  if (!passed)
    console.error('The engine has become slower by more than a third, measured against the bare job.');
  return passed;
}
