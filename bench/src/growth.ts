import { type Measurement, measureShape } from './measure-shape.ts';
import type { ShapeName, ShapeSize } from './shapes.ts';

/** What one figure of a size is doubled in. */
interface Growth {
  readonly shape: ShapeName;
  readonly along: keyof ShapeSize;
  readonly size: ShapeSize;
}

const GROWTHS: readonly Growth[] = [
  { shape: 'generic-metrics', along: 'days', size: { identities: 250, days: 15, clusters: 1 } },
  { shape: 'self-managed-kafka', along: 'days', size: { identities: 500, days: 15, clusters: 1 } },
  { shape: 'self-managed-kafka', along: 'identities', size: { identities: 500, days: 15, clusters: 1 } },
  { shape: 'ccloud', along: 'days', size: { identities: 100, days: 15, clusters: 5 } },
  { shape: 'ccloud', along: 'identities', size: { identities: 100, days: 15, clusters: 5 } },
  { shape: 'ccloud', along: 'clusters', size: { identities: 100, days: 15, clusters: 5 } },
  {
    shape: 'self-managed-kafka',
    along: 'topics',
    size: { identities: 500, days: 15, clusters: 1, topics: 500 },
  },
];

/** Sizes of one growth: the smallest and its multiples. */
const MULTIPLES = [1, 2, 4];

/**
 * How cost grows. `exponent` is of CPU beyond what a cycle without changes takes (loading the program and asking), between the smallest
 * and the largest size: 1 is linear.
 */
export async function measureGrowth(repeat: number): Promise<Record<string, string | number>[]> {
  const table: Record<string, string | number>[] = [];
  for (const growth of GROWTHS) {
    const measured: Measurement[] = [];
    for (const multiple of MULTIPLES) {
      const size = { ...growth.size, [growth.along]: growth.size[growth.along]! * multiple };
      measured.push(await measureShape({ shape: growth.shape, size, database: 'sqlite', repeat }));
    }
    table.push(rowOf(growth, measured));
  }
  return table;
}

/** CPU seconds of what grows. */
function work({ engine, second }: Measurement): number {
  return engine.cpuSeconds - second.cpuSeconds;
}

function rowOf({ shape, along, size }: Growth, measured: readonly Measurement[]) {
  const list = (figure: (one: Measurement) => number, digits: number): string =>
    measured.map((one) => figure(one).toFixed(digits)).join(' · ');
  return {
    shape,
    growing: `${along}: ${MULTIPLES.map((multiple) => size[along]! * multiple).join(' · ')}`,
    rows: list(({ engine }) => engine.rows, 0),
    'CPU s': list(({ engine }) => engine.cpuSeconds, 2),
    'exponent of CPU': exponent(work, measured),
    'CPU s per 100,000 rows': list((one) => (work(one) / one.engine.rows) * 100_000, 2),
    'peak MB': list(({ engine }) => engine.peakMegabytes, 0),
  };
}

function exponent(figure: (one: Measurement) => number, measured: readonly Measurement[]): string {
  const [first, last] = [measured[0]!, measured.at(-1)!];
  return (Math.log(figure(last) / figure(first)) / Math.log(MULTIPLES.at(-1)! / MULTIPLES[0]!)).toFixed(2);
}
