import { readFile, writeFile } from 'node:fs/promises';
import { type Measurement, measureShape } from './measure-shape.ts';
import { type ShapeName, type ShapeSize } from './shapes.ts';

/** What was measured when the file was last written. */
interface Recorded {
  readonly shape: ShapeName;
  readonly size: ShapeSize;
  /** Rows a second of the engine's CPU over those of the floor's. */
  readonly rowsPerFloorUnit: number;
}

const FILE = new URL('recorded.json', import.meta.url);
/** Of the recorded value that may be lost before the check fails. */
const TOLERATED_LOSS = 1 / 3;
/** The least of several tries of each: on a busy machine the first is no measure. */
const REPEAT = 3;
const SIZES: readonly Omit<Recorded, 'rowsPerFloorUnit'>[] = [
  { shape: 'generic-metrics', size: { identities: 300, days: 10, clusters: 1 } },
  { shape: 'self-managed-kafka', size: { identities: 1000, days: 10, clusters: 1 } },
  { shape: 'ccloud', size: { identities: 100, days: 10, clusters: 5 } },
];

/**
 * A ratio, not a time: how fast the machine is does not count. CPU, because what else runs on the machine takes
 * from wall time first. What a cycle without changes takes (mostly loading the program) is left out, as it would
 * hide the rest at so small a size.
 */
function rowsPerFloorUnit({ engine, second, floor }: Measurement): number {
  return floor.cpuSeconds / (engine.cpuSeconds - second.cpuSeconds);
}

/** Measures anew and writes the values that later checks compare with. */
export async function record(): Promise<void> {
  const recorded: Recorded[] = [];
  for (const { shape, size } of SIZES) {
    const measured = await measureShape(shape, size, REPEAT);
    recorded.push({ shape, size, rowsPerFloorUnit: Number(rowsPerFloorUnit(measured).toFixed(3)) });
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
  for (const { shape, size, rowsPerFloorUnit: before } of JSON.parse(
    await readFile(FILE, 'utf8'),
  ) as Recorded[]) {
    const least = before * (1 - TOLERATED_LOSS);
    let now = rowsPerFloorUnit(await measureShape(shape, size, REPEAT));
    if (now < least) now = Math.max(now, rowsPerFloorUnit(await measureShape(shape, size, REPEAT)));
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
