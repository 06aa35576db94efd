import { Decimal } from '@chargeback/money';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CalculatedLine, GatheredDay } from '../src/index.ts';
import { YEAR } from './days.ts';
import { makeStore } from './temporary-store.ts';

const DATE = '2026-02-01';
const LINES = ['a', 'b', 'c'];
const UNITS = fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n });

/** Gather a bill (null: the line is not on it), or calculate the stored one. */
const STEP = fc.oneof(
  fc.record({ bill: fc.array(fc.option(UNITS), { minLength: 3, maxLength: 3 }) }),
  fc.record({
    outcome: fc.array(fc.constantFrom('whole', 'split', 'retained', 'held'), { minLength: 3, maxLength: 3 }),
  }),
);

describe('reconciliation after any sequence of gathering and calculating', () => {
  it('has no difference, and shows as allocated what the rows say', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 1, maxLength: 8 }), async (steps) => {
        const made = await makeStore();
        try {
          for (const step of steps) {
            if ('bill' in step) await made.store.saveGatheredDay(gatheredDay(step.bill));
            else await calculate(made.store, step.outcome);
            const { said, expected } = await comparison(made.store);
            expect(said).toEqual(expected);
          }
        } finally {
          await made.dispose();
        }
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});

type TestedStore = Awaited<ReturnType<typeof makeStore>>['store'];

/** What reconciliation says, and what the stored bill and rows say. */
async function comparison(store: TestedStore): Promise<{ said: unknown; expected: unknown }> {
  const lines = (await store.loadDay(DATE))?.lines ?? [];
  const billed = lines.reduce((sum, { totalCost }) => sum + totalCost.units, 0n);
  const [total] = await store.totals(YEAR, []);
  const said: unknown[] = [];
  for (const grouping of ['line', 'day', 'month'] as const) {
    const rows = await store.reconcile(YEAR, grouping);
    said.push({
      differences: rows.filter(({ difference }) => difference !== 0n),
      billed: rows.reduce((sum, row) => sum + row.billed, 0n),
      allocated: rows.reduce((sum, row) => sum + row.allocated, 0n),
    });
  }
  const expected = { differences: [], billed, allocated: total?.units ?? 0n };
  return { said, expected: [expected, expected, expected] };
}

function gatheredDay(bill: readonly (bigint | null)[]): GatheredDay {
  const lines = bill.flatMap((units, index) => {
    const lineId = LINES[index]!;
    return units === null
      ? []
      : [
          {
            lineId,
            timestamp: new Date(DATE),
            granularity: 'daily',
            resourceId: null,
            environmentId: null,
            productCategory: 'CATEGORY',
            productType: 'TYPE',
            quantity: new Decimal(1),
            unitPrice: new Decimal(1),
            totalCost: { units, currency: 'USD' },
            coverage: null,
            metadata: {},
          },
        ];
  });
  const gatheredAt = new Date();
  return { date: DATE, lines, usage: [], gatherFingerprint: 'gathering', complete: true, gatheredAt };
}

async function calculate(store: TestedStore, outcomes: readonly string[]): Promise<void> {
  const day = await store.loadDay(DATE);
  if (!day) return;
  const lines = day.lines.map(({ lineId, totalCost }) =>
    calculatedLine(lineId, totalCost.units, outcomes[LINES.indexOf(lineId)]!),
  );
  await store.saveCalculatedDay({
    date: DATE,
    state: lines.some(({ state }) => state === 'held') ? 'held' : 'calculated',
    calculationFingerprint: 'fingerprint',
    calculationId: 'calculation',
    calculatedAt: new Date(),
    runId: 'run',
    problems: [],
    lines,
  });
}

function calculatedLine(lineId: string, units: bigint, outcome: string): CalculatedLine {
  if (outcome === 'held') return { lineId, state: 'held', retainedUnits: 0n, portions: [], attempts: 1 };
  const retainedUnits = outcome === 'retained' ? units / 3n : 0n;
  const first = outcome === 'split' ? units / 7n : 0n;
  const portion = {
    costType: 'USAGE',
    method: 'usage_ratio',
    detail: null,
    chainTier: null,
    compositionIndex: null,
    compositionRatio: null,
    tiersTried: [],
    identityIds: ['x', 'y'],
    units: [first, units - retainedUnits - first],
    ratios: [0.5, 0.5],
  } as const;
  return { lineId, state: 'allocated', retainedUnits, portions: [portion], attempts: 0 };
}
