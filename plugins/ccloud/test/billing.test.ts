import { Decimal, formatMoney } from '@chargeback/money';
import {
  type BillingBatch,
  type BillingLineItem,
  daysOf,
  isoDateOf,
  startOfDay,
  type Window,
} from '@chargeback/plugin-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gatherBill } from '../src/billing/gather-bill.ts';
import {
  type Answer,
  clientOf,
  collect,
  live,
  NOW,
  page,
  type SeenRequest,
  serve,
} from './scripted-server.ts';

const DAY = '2026-02-01';

function window(first: string, end: string): Window {
  return { start: startOfDay(first), end: startOfDay(end) };
}

const ONE_DAY = window(DAY, '2026-02-02');

/** A row as the vendor documents it; amounts as JSON numbers unless a test writes text. */
function row(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id: 'dlz-1',
    start_date: DAY,
    end_date: '2026-02-02',
    granularity: 'DAILY',
    product: 'KAFKA',
    line_type: 'KAFKA_NETWORK_WRITE',
    price: 0.023,
    unit: 'GB',
    quantity: 240,
    original_amount: 5.52,
    discount_amount: 0,
    amount: 5.52,
    network_access_type: 'INTERNET',
    description: 'Network write',
    resource: { id: 'lkc-1', display_name: 'orders', environment: { id: 'env-1' } },
    ...changes,
  };
}

interface Gathered {
  readonly batches: readonly BillingBatch[];
  readonly requests: readonly SeenRequest[];
}

async function gatherFrom(
  answer: (request: SeenRequest) => Answer,
  asked: Window,
  { daysPerQuery = 30, now = NOW } = {},
): Promise<Gathered> {
  await using server = await serve(answer);
  const { client } = clientOf(server.url, { maxAttempts: 2 });
  const source = { client, daysPerQuery, currency: 'USD', now: () => now };
  const batches = await collect(gatherBill(source, asked, live()));
  return { batches, requests: server.requests };
}

/** The batch of one day for rows given as JSON text, so that amounts stay as they are written. */
async function billOf(
  rows: readonly (Record<string, unknown> | string)[],
  asked = ONE_DAY,
): Promise<BillingBatch> {
  const text = `{"data":[${rows.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join(',')}],"metadata":{}}`;
  const { batches } = await gatherFrom(() => ({ text }), asked);
  expect(batches).toHaveLength(1);
  return batches[0]!;
}

const costOf = ({ totalCost }: BillingLineItem): string => formatMoney(totalCost);

describe('the windows of the bill', () => {
  it.each([1, 7, 15, 30])('are at most %i days long, half-open and without gaps', async (daysPerQuery) => {
    const asked = window('2026-01-20', '2026-02-20');
    const { batches, requests } = await gatherFrom(() => page([]), asked, { daysPerQuery });
    expect(batches.flatMap((batch) => daysOf(batch.window))).toEqual(daysOf(asked));
    for (const batch of batches) expect(daysOf(batch.window).length).toBeLessThanOrEqual(daysPerQuery);
    expect(requests.map(({ query }) => [query.get('start_date'), query.get('end_date')]).toSorted()).toEqual(
      batches.map(({ window: { start, end } }) => [isoDateOf(start), isoDateOf(end)]),
    );
  });

  it('never span more than the month that the vendor allows', async () => {
    const { batches } = await gatherFrom(() => page([]), window('2026-02-01', '2026-03-04'));
    expect(batches.map((batch) => isoDateOf(batch.window.end))).toEqual(['2026-03-01', '2026-03-04']);
  });

  it('do not ask beyond the year that the vendor keeps, and say so', async () => {
    const { batches, requests } = await gatherFrom(() => page([]), window('2025-02-18', '2025-03-01'));
    expect(requests.map(({ query }) => query.get('start_date'))).toEqual(['2025-02-21']);
    expect(batches[0]).toMatchObject({
      window: window('2025-02-18', '2025-02-21'),
      problems: [{ code: 'CB_BILLING_HISTORY', severity: 'error' }],
    });
  });

  it('fail by themselves', async () => {
    const { batches } = await gatherFrom(
      ({ query }) => (query.get('start_date') === '2026-02-03' ? { status: 500 } : page([])),
      window(DAY, '2026-02-07'),
      { daysPerQuery: 2 },
    );
    expect(batches.map(({ problems }) => problems.map(({ code, date }) => [code, date]))).toEqual([
      [],
      [['CB_SOURCE_SERVER', null]],
      [],
    ]);
  });

  it('fail when the endpoint is not found: there is no such thing as a free day by mistake', async () => {
    const { batches } = await gatherFrom(() => ({ status: 404 }), ONE_DAY);
    expect(batches[0]!.problems).toMatchObject([{ code: 'CB_SOURCE_NOT_FOUND', severity: 'error' }]);
  });

  it('stop with the run', async () => {
    await using server = await serve(() => ({ hang: true }));
    const stop = new AbortController();
    const source = { client: clientOf(server.url).client, daysPerQuery: 1, currency: 'USD', now: () => NOW };
    const work = collect(gatherBill(source, window(DAY, '2026-02-05'), stop.signal));
    stop.abort(new Error('stopped'));
    await expect(work).rejects.toThrow('stopped');
  });
});

describe('a line', () => {
  it('keeps what the row says', async () => {
    const { lines, problems } = await billOf([row({ tier_dimensions: { from: '0' }, amount: 5.5 })]);
    expect(problems).toEqual([]);
    expect(lines).toMatchObject([
      {
        timestamp: startOfDay(DAY),
        granularity: 'daily',
        resourceId: 'lkc-1',
        environmentId: 'env-1',
        productCategory: 'KAFKA',
        productType: 'KAFKA_NETWORK_WRITE',
        coverage: null,
        metadata: {
          id: 'dlz-1',
          end_date: '2026-02-02',
          unit: 'GB',
          original_amount: '5.52',
          discount_amount: '0',
          network_access_type: 'INTERNET',
          description: 'Network write',
          resource_name: 'orders',
          tier_dimensions: { from: '0' },
        },
      },
    ]);
    expect([lines[0]!.quantity.toString(), lines[0]!.unitPrice.toString(), costOf(lines[0]!)]).toEqual([
      '240',
      '0.023',
      '5.5000',
    ]);
  });

  it('adds up the tiers of a price and keeps each (reference vector 35)', async () => {
    const { lines, problems } = await billOf([
      row({ id: 'a', quantity: 240, price: 0.023, amount: 5.52 }),
      row({ id: 'b', quantity: 72, price: 0.0345, amount: 2.484 }),
    ]);
    expect(problems).toEqual([]);
    expect(lines).toHaveLength(1);
    const [line] = lines;
    expect([line!.quantity.toString(), line!.unitPrice.toString(), costOf(line!)]).toEqual([
      '312',
      '0',
      '8.0040',
    ]);
    expect(line!.metadata['tiers']).toMatchObject([
      { id: 'a', price: '0.023', quantity: '240', cost: '5.52' },
      { id: 'b', price: '0.0345', quantity: '72', cost: '2.484' },
    ]);
    expect(line!.metadata).toMatchObject({ unit: 'GB', end_date: '2026-02-02' });
  });

  it.each([
    ['-100', '-100.0000'],
    ['"123.45"', '123.4500'],
    ['0', '0.0000'],
    ['0.30000000000000004', '0.3000'],
    ['1e-12', '0.0000'],
    ['123456789.00000001', '123456789.00000001'],
  ])('takes the amount %s from its source text', async (amount, expected) => {
    const text = JSON.stringify(row({ amount: '@' })).replace('"@"', amount);
    const { lines, problems } = await billOf([text]);
    expect(problems).toEqual([]);
    expect(lines.map(costOf)).toEqual([expected]);
  });

  it('is rounded half-even to eight decimals, once, and keeps the text', async () => {
    const amounts = ['0.000000005', '0.000000015', '0.000000004', '1e-12'];
    for (const [index, expected] of [0n, 2n, 0n, 0n].entries()) {
      const text = JSON.stringify(row({ amount: '@' })).replace('"@"', amounts[index]!);
      const [line] = (await billOf([text])).lines;
      expect(line!.totalCost.units).toBe(expected);
      expect(line!.metadata['total_cost_source']).toBe(amounts[index]);
    }
    // The sum is rounded, not its parts: twice 0.000000004 is 0.000000008, which is one unit of the ledger.
    const parts = ['a', 'b'].map((id) => JSON.stringify(row({ id, amount: '@' })).replace('"@"', '4e-9'));
    const [line] = (await billOf(parts)).lines;
    expect(line!.totalCost.units).toBe(1n);
  });

  it.each([
    ['resource null', { resource: null }],
    ['no resource', { resource: undefined }],
    ['a resource without id', { resource: {} }],
    ['environment null', { resource: { environment: null } }],
  ])('needs no resource: %s', async (_what, changes) => {
    const { lines, problems } = await billOf([row({ line_type: 'SUPPORT', ...changes })]);
    expect(problems).toEqual([]);
    expect(lines).toMatchObject([{ resourceId: null, environmentId: null, productType: 'SUPPORT' }]);
  });

  it('keeps apart things that have a name and no id', async () => {
    const named = (display_name: string) => ({ display_name, environment: { id: 'env-1' } });
    const { lines, problems } = await billOf([
      row({ id: 'a', resource: named('north'), amount: 1 }),
      row({ id: 'b', resource: named('south'), amount: 2 }),
      row({ id: 'c', resource: named('south'), amount: 4, price: 0.05 }),
    ]);
    expect(problems).toEqual([]);
    expect(lines.map((line) => [line.metadata['resource_name'], costOf(line), line.resourceId])).toEqual([
      ['north', '1.0000', null],
      ['south', '6.0000', null],
    ]);
  });

  it('keeps what else the row says of its resource, and one that is no object with a remark', async () => {
    const resource = {
      id: 'lkc-1',
      crn: 'crn://c',
      environment: { id: 'env-1', display_name: 'prod' },
    };
    const whole = await billOf([row({ resource })]);
    expect(whole.problems).toEqual([]);
    expect(whole.lines[0]!.metadata['resource']).toEqual({
      crn: 'crn://c',
      environment: { display_name: 'prod' },
    });
    const odd = await billOf([row({ resource: 'lkc-1' })]);
    expect(odd.lines).toMatchObject([{ resourceId: null, metadata: { resource: 'lkc-1' } }]);
    expect(odd.lines.map(costOf)).toEqual(['5.5200']);
    expect(odd.problems).toMatchObject([{ code: 'CB_BILLING_ROW', severity: 'warning', date: DAY }]);
  });

  it('survives an unknown product and line type, and the absence of both', async () => {
    const { lines, problems } = await billOf([
      row({ id: 'a', product: 'QUANTUM', line_type: 'QUANTUM_BITS' }),
      row({ id: 'b', product: null, line_type: null }),
    ]);
    expect(problems).toEqual([]);
    expect(lines.map(({ productCategory, productType }) => [productCategory, productType])).toEqual([
      ['QUANTUM', 'QUANTUM_BITS'],
      ['UNKNOWN', 'UNKNOWN'],
    ]);
  });

  it('survives a row that says only what the vendor guarantees, and says what it took', async () => {
    const { lines, problems } = await billOf([
      { id: 'x', start_date: DAY, end_date: '2026-02-02', unit: 'GB', original_amount: 7.25 },
    ]);
    expect(lines.map(costOf)).toEqual(['7.2500']);
    expect(problems).toMatchObject([{ code: 'CB_BILLING_ROW', severity: 'warning', date: DAY }]);
  });

  it('keeps a quantity or price that cannot be read as a remark: the cost does not depend on it', async () => {
    const { lines, problems } = await billOf([row({ quantity: 'abc', price: null })]);
    expect(lines.map(costOf)).toEqual(['5.5200']);
    expect(problems).toMatchObject([{ code: 'CB_BILLING_ROW', severity: 'warning', date: DAY }]);
  });

  it('is monthly when it covers a calendar month', async () => {
    const february = row({ end_date: '2026-03-01', line_type: 'SUPPORT', resource: null });
    expect((await billOf([february])).lines).toMatchObject([{ granularity: 'monthly' }]);
    const odd = await billOf([row({ end_date: '2026-02-08' })]);
    expect(odd.lines).toMatchObject([{ granularity: 'daily' }]);
    expect(odd.problems).toMatchObject([{ severity: 'warning', date: DAY }]);
  });
});

describe('ids of lines', () => {
  it('come from the content: rows in another order, in other windows, with others, are the same lines', async () => {
    const rows = [
      row({ id: 'a', line_type: 'SUPPORT', product: 'SUPPORT_CLOUD_BASIC', resource: null }),
      row({ id: 'b', line_type: 'PROMO_CREDIT', resource: null, amount: -3 }),
      row({ id: 'c' }),
      row({ id: 'd', price: 0.05, amount: 1.25 }),
    ];
    const idsOf = ({ lines }: BillingBatch) => lines.map(({ lineId }) => lineId).toSorted();
    const forward = await billOf(rows);
    const backward = await billOf(rows.toReversed(), window('2026-01-15', '2026-02-10'));
    expect(idsOf(backward)).toEqual(idsOf(forward));
    const byId = (batch: BillingBatch) => new Map(batch.lines.map((line) => [line.lineId, line]));
    expect(byId(backward)).toEqual(byId(forward));
    expect(new Set(idsOf(forward)).size).toBe(3);
  });

  it('do not collide when names hold what separates them', async () => {
    const { lines } = await billOf([
      row({ id: 'a', product: 'A/B', line_type: 'C' }),
      row({ id: 'b', product: 'A', line_type: 'B/C' }),
    ]);
    expect(new Set(lines.map(({ lineId }) => lineId)).size).toBe(2);
  });
});

describe('a bad row', () => {
  it.each(['null', '"abc"', 'NaN', '"NaN"', '-Infinity', '""', '{}', '1e15', '"1,5"', '"0x10"', 'true'])(
    'with the amount %s holds its day, and is never 0',
    async (amount) => {
      const bad = JSON.stringify(row({ id: 'bad', line_type: 'KAFKA_STORAGE', amount: '@' })).replace(
        '"@"',
        amount,
      );
      const { lines, problems } = await billOf([row(), bad], window(DAY, '2026-02-03'));
      expect(problems).toMatchObject([{ code: 'CB_BILLING_AMOUNT', severity: 'error', date: DAY }]);
      expect(lines.map(({ productType }) => productType)).toEqual(['KAFKA_NETWORK_WRITE']);
    },
  );

  it('without amount and original amount holds its day', async () => {
    const { problems } = await billOf([row({ amount: undefined, original_amount: undefined })]);
    expect(problems).toMatchObject([{ code: 'CB_BILLING_AMOUNT', severity: 'error', date: DAY }]);
  });

  it.each([undefined, null, 'yesterday', '2026-02-30', 20260201])(
    'with the start date %s holds the whole window: it may belong to any day',
    async (start_date) => {
      const { problems } = await billOf([row({ start_date })], window(DAY, '2026-02-05'));
      expect(problems).toMatchObject([{ code: 'CB_BILLING_ROW', severity: 'error', date: null }]);
    },
  );

  it('that ends before it starts holds the days between', async () => {
    const { problems, lines } = await billOf(
      [row({ start_date: '2026-02-04', end_date: '2026-02-02' })],
      window(DAY, '2026-02-10'),
    );
    expect(lines).toEqual([]);
    expect(problems.map(({ date, severity }) => [date, severity])).toEqual([
      ['2026-02-02', 'error'],
      ['2026-02-03', 'error'],
      ['2026-02-04', 'error'],
    ]);
  });

  it('of a neighbouring window is left to it; a row of no window that is near holds the window', async () => {
    const near = await billOf([row({ start_date: '2026-01-31', end_date: '2026-02-01' })]);
    expect(near.lines).toEqual([]);
    expect(near.problems).toMatchObject([{ severity: 'warning', date: null }]);
    for (const start_date of ['1970-01-01', '2026-06-01']) {
      const far = await billOf([row({ start_date, end_date: undefined })]);
      expect(far.problems).toMatchObject([{ code: 'CB_BILLING_ROW', severity: 'error', date: null }]);
    }
  });

  it('of a neighbouring window holds the days of that window, not of the one it was sent with', async () => {
    const { lines, problems } = await billOf([
      row(),
      row({ id: 'b', start_date: '2026-01-31', end_date: '2026-02-01', amount: 'abc' }),
    ]);
    expect(lines.map(costOf)).toEqual(['5.5200']);
    expect(problems).toMatchObject([{ code: 'CB_BILLING_AMOUNT', severity: 'warning', date: null }]);
    const far = await billOf([row({ start_date: '2020-01-31', end_date: undefined, amount: 'abc' })]);
    expect(far.problems).toMatchObject([{ code: 'CB_BILLING_AMOUNT', severity: 'error', date: null }]);
  });

  it('is one problem for each day, however many rows there are', async () => {
    const rows = Array.from({ length: 50 }, (_, index) => row({ id: `bad-${index}`, amount: 'abc' }));
    const { problems } = await billOf(rows);
    expect(problems).toHaveLength(1);
    expect(problems[0]!.message).toContain('and 47 more');
  });
});

describe('rows that share an id', () => {
  it('count once when they are the same row', async () => {
    const { lines, problems } = await billOf([row(), row()]);
    expect(lines.map(costOf)).toEqual(['5.5200']);
    expect(problems).toMatchObject([{ code: 'CB_BILLING_DUPLICATE', severity: 'warning', date: DAY }]);
  });

  it.each<[string, object]>([
    ['amount', { amount: 6 }],
    ['price', { price: 0.05, amount: 6 }],
    ['quantity', { quantity: 7, amount: 6 }],
    ['description', { description: 'restated', amount: 6 }],
    ['description, at the same amount', { description: 'restated' }],
    ['network type', { network_access_type: 'PRIVATE_LINK', amount: 6 }],
    ['end date, which it now leaves out', { end_date: undefined, amount: 6 }],
  ])('hold the day when they are two versions of one row: another %s', async (_what, change) => {
    for (const tier of [undefined, { tier: '1' }]) {
      const first = row({ tier_dimensions: tier });
      for (const rows of [
        [first, { ...first, ...change }],
        [{ ...first, ...change }, first],
        [first, first, { ...first, ...change }],
      ]) {
        const { problems } = await billOf(rows);
        const errors = problems.filter(({ severity }) => severity === 'error');
        expect(errors).toMatchObject([{ code: 'CB_BILLING_DUPLICATE', date: DAY }]);
      }
    }
  });

  it('all count when they are of different lines or tiers', async () => {
    const { lines, problems } = await billOf([
      row({ tier_dimensions: { tier: '1' } }),
      row({ tier_dimensions: { tier: '2' }, price: 0.05, amount: 1 }),
      row({ line_type: 'KAFKA_STORAGE', amount: 2 }),
      row({ resource: { id: 'lkc-other' }, amount: 3 }),
    ]);
    expect(lines.map(costOf).toSorted()).toEqual(['2.0000', '3.0000', '6.5200']);
    expect(problems).toMatchObject([{ code: 'CB_BILLING_DUPLICATE', severity: 'warning', date: DAY }]);
  });
});

describe('the sum of a bill', () => {
  it('is that of its rows, to the last digit, refunds and tiers included', async () => {
    const amount = fc.tuple(fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }), fc.integer({ min: 0, max: 8 }));
    const types = fc.constantFrom('KAFKA_BASE', 'KAFKA_NETWORK_READ', 'SUPPORT', 'PROMO_CREDIT');
    const resources = fc.constantFrom(null, { id: 'lkc-1' }, { id: 'lkc-2', environment: { id: 'env-1' } });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(amount, types, resources), { maxLength: 40 }), async (drawn) => {
        const texts = drawn.map(([[digits, scale]]) =>
          new Decimal(digits.toString()).times(`1e-${scale}`).toFixed(),
        );
        const rows = drawn.map(([, line_type, resource], index) =>
          JSON.stringify(row({ id: `row-${index}`, line_type, resource, amount: '@' })).replace(
            '"@"',
            texts[index]!,
          ),
        );
        const { lines, problems } = await billOf(rows);
        expect(problems).toEqual([]);
        const billed = lines.reduce((sum, { totalCost }) => sum + totalCost.units, 0n);
        const sent = texts.reduce((sum, text) => sum.plus(text), new Decimal(0));
        expect(billed.toString()).toBe(sent.times('1e8').toFixed(0));
        expect(new Set(lines.map(({ lineId }) => lineId)).size).toBe(lines.length);
      }),
      { numRuns: 40 },
    );
  });
});
