import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apiKey, identity, line, resource, settle, usage } from './products-support.ts';

/*
 * The rules of "How Costs Work" a second time, written from that page alone: amounts are whole numbers of
 * 0.00000001, shares are rounded to 0.0001. It shares no code with what it is compared with.
 */

const QUANTUM = 10_000n;

interface Cluster {
  readonly id: string;
  /** Owners of the API keys that open it; null for a key without owner. */
  readonly keyOwners: readonly (string | null)[];
  readonly bytesIn: ReadonlyMap<string, number>;
  readonly bytesOut: ReadonlyMap<string, number>;
}

interface Bill {
  readonly accounts: readonly string[];
  readonly clusters: readonly Cluster[];
  /** Ledger units by cluster and product type. */
  readonly amounts: readonly { cluster: string; productType: string; units: bigint }[];
  readonly usageRatio: number;
}

type Share = readonly [identity: string, units: bigint];

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

/** numerator / denominator, rounded half away from zero. */
function rounded(numerator: bigint, denominator: bigint): bigint {
  const quotient = magnitude(numerator) / denominator;
  const up = (magnitude(numerator) % denominator) * 2n >= denominator ? 1n : 0n;
  return numerator < 0n ? -(quotient + up) : quotient + up;
}

/**
 * In proportion, each share rounded to a quantum. What is less than a quantum goes to the first. What rounding leaves
 * is handed out one quantum at a time to the leading names, passing over whose share would change its sign or end
 * more than two quanta from exact.
 */
function share(total: bigint, weights: ReadonlyMap<string, bigint>): Share[] {
  const names = [...weights.keys()].filter((name) => weights.get(name)! > 0n).toSorted();
  const sum = names.reduce((all, name) => all + weights.get(name)!, 0n);
  const dust = total % QUANTUM;
  const quanta = (total - dust) / QUANTUM;
  const shares = names.map((name) => rounded(quanta * weights.get(name)!, sum));
  const whole = (index: number, part: bigint): bigint => part * QUANTUM + (index === 0 ? dust : 0n);
  const mayBe = (index: number, part: bigint): boolean => {
    const exactTimesSum = total * weights.get(names[index]!)!;
    const offTimesSum = whole(index, part) * sum - exactTimesSum;
    return part * total >= 0n && magnitude(offTimesSum) <= 2n * QUANTUM * sum;
  };
  let rest = quanta - shares.reduce((all, one) => all + one, 0n);
  const step = rest < 0n ? -1n : 1n;
  for (let index = 0; rest !== 0n; index = (index + 1) % names.length) {
    if (!mayBe(index, shares[index]! + step)) continue;
    shares[index]! += step;
    rest -= step;
  }
  return names.map((name, index) => [name, whole(index, shares[index]!)]);
}

const evenly = (names: Iterable<string>): Map<string, bigint> =>
  new Map([...names].map((name) => [name, 1n]));

function byBytes(...directions: readonly ReadonlyMap<string, number>[]): Map<string, bigint> {
  const weights = new Map<string, bigint>();
  for (const direction of directions) {
    for (const [name, bytes] of direction) {
      if (bytes > 0) weights.set(name, (weights.get(name) ?? 0n) + BigInt(bytes));
    }
  }
  return weights;
}

function activeOn({ keyOwners, bytesIn, bytesOut }: Cluster): Set<string> {
  const owners = keyOwners.map((owner) => owner ?? 'api_key_owner_unknown');
  return new Set([...owners, ...bytesIn.keys(), ...bytesOut.keys()]);
}

interface Part {
  readonly units: bigint;
  readonly usage: ReadonlyMap<string, bigint> | null;
  readonly details: readonly [active: string, period: string];
}

/** One chain: usage, then those who are active, then all accounts, then the cluster. */
function chain(bill: Bill, cluster: Cluster, part: Part): string[] {
  const say = (weights: ReadonlyMap<string, bigint>, ...what: string[]) =>
    share(part.units, weights).map(([name, units]) => [name, units, ...what].join(' '));
  if (part.usage && part.usage.size > 0) return say(part.usage, 'USAGE usage_ratio USAGE_RATIO_ALLOCATION');
  const active = activeOn(cluster);
  if (active.size > 0) return say(evenly(active), 'SHARED even_split', part.details[0]);
  if (bill.accounts.length > 0) return say(evenly(bill.accounts), 'SHARED even_split', part.details[1]);
  return [`${cluster.id} ${part.units} SHARED terminal NO_IDENTITIES_LOCATED`];
}

function rowsOf(bill: Bill, { cluster: id, productType, units }: Bill['amounts'][number]): string[] {
  const cluster = bill.clusters.find((one) => one.id === id)!;
  const whyNoUsage = (usages: readonly ReadonlyMap<string, number>[]): string =>
    usages.every(({ size }) => size === 0) ? 'NO_METRICS_LOCATED' : 'NO_USAGE_FOR_ACTIVE_IDENTITIES';
  const network = (...usages: readonly ReadonlyMap<string, number>[]): string[] =>
    chain(bill, cluster, {
      units,
      usage: byBytes(...usages),
      details: [whyNoUsage(usages), 'NO_ACTIVE_IDENTITIES_LOCATED'],
    });
  switch (productType) {
    case 'KAFKA_NETWORK_READ':
      return network(cluster.bytesOut);
    case 'KAFKA_NETWORK_WRITE':
      return network(cluster.bytesIn);
    case 'KAFKA_STORAGE':
      return chain(bill, cluster, {
        units,
        usage: null,
        details: ['NO_METRICS_LOCATED', 'NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED'],
      });
    default: {
      const quantized = rounded(units * BigInt(bill.usageRatio), 100n * QUANTUM) * QUANTUM;
      // A part of less than a quantum is never rounded to more than the whole.
      const used = magnitude(quantized) > magnitude(units) ? units : quantized;
      const first = chain(bill, cluster, {
        units: used,
        usage: byBytes(cluster.bytesIn, cluster.bytesOut),
        details: ['NO_USAGE_FOR_ACTIVE_IDENTITIES', 'NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED'],
      });
      const second = chain(bill, cluster, {
        units: units - used,
        usage: null,
        details: ['-', 'NO_ACTIVE_IDENTITIES_LOCATED'],
      });
      return [...first, ...second];
    }
  }
}

/** Rows that agree in everything but the amount are one, as they are in the report. */
function added(rows: readonly string[]): string[] {
  const sums = new Map<string, bigint>();
  for (const row of rows) {
    const [name, units, ...what] = row.split(' ');
    const key = [name, ...what].join(' ');
    sums.set(key, (sums.get(key) ?? 0n) + BigInt(units!));
  }
  return [...sums].map(([key, units]) => `${key} ${units}`).toSorted();
}

const PRODUCTS = ['KAFKA_NUM_CKUS', 'KAFKA_NETWORK_READ', 'KAFKA_NETWORK_WRITE', 'KAFKA_STORAGE'];

const accountId = fc.integer({ min: 1, max: 6 }).map((number) => `sa-${number}`);
const bytes = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 2 ** 45 }));
const direction = fc
  .array(fc.tuple(accountId, bytes), { maxLength: 5 })
  .map((entries) => new Map(entries) as ReadonlyMap<string, number>);
const clusterBody = fc.record({
  keyOwners: fc.array(fc.oneof(accountId, fc.constant(null)), { maxLength: 4 }),
  bytesIn: direction,
  bytesOut: direction,
});
const amount = fc.oneof(
  fc.bigInt({ min: -5n * QUANTUM, max: 5n * QUANTUM }),
  fc.bigInt({ min: -(10n ** 13n), max: 10n ** 13n }),
);
const bills: fc.Arbitrary<Bill> = fc
  .record({
    accounts: fc.uniqueArray(accountId, { maxLength: 6 }),
    bodies: fc.array(clusterBody, { minLength: 1, maxLength: 4 }),
    units: fc.array(amount, { minLength: PRODUCTS.length * 4, maxLength: PRODUCTS.length * 4 }),
    usageRatio: fc.integer({ min: 1, max: 99 }),
  })
  .map(({ accounts, bodies, units, usageRatio }) => {
    const clusters = bodies.map((body, index) => ({ id: `lkc-${index}`, ...body }));
    const amounts = clusters.flatMap(({ id }, index) =>
      PRODUCTS.map((productType, product) => ({
        cluster: id,
        productType,
        units: units[index * PRODUCTS.length + product]!,
      })),
    );
    return { accounts, clusters, amounts, usageRatio };
  });

const textOf = (units: bigint): string =>
  `${units < 0n ? '-' : ''}${magnitude(units) / 10n ** 8n}.${String(magnitude(units) % 10n ** 8n).padStart(8, '0')}`;

const unitsOf = (text: string): bigint => {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  const units = BigInt(whole) * 10n ** 8n + BigInt(fraction.padEnd(8, '0'));
  return text.startsWith('-') ? -units : units;
};

async function storedRows(bill: Bill): Promise<Map<string, string[]>> {
  const usageOf = (key: string, pick: (cluster: Cluster) => ReadonlyMap<string, number>) =>
    usage(
      key,
      bill.clusters.flatMap((cluster) =>
        [...pick(cluster)].map(([name, value]) => [cluster.id, name, value] as const),
      ),
    );
  const { run, rows } = await settle({
    lines: bill.amounts.map(({ cluster, productType, units }) => line(productType, textOf(units), cluster)),
    resources: bill.clusters.map(({ id }) => resource(id, 'kafka_cluster')),
    identities: [
      ...bill.accounts.map((id) => identity(id)),
      ...bill.clusters.flatMap(({ id, keyOwners }) =>
        keyOwners.map((owner, index) => apiKey(`KEY-${id}-${index}`, id, owner)),
      ),
    ],
    usage: [usageOf('bytes_in', ({ bytesIn }) => bytesIn), usageOf('bytes_out', ({ bytesOut }) => bytesOut)],
    params: {
      kafka_cku_usage_ratio: bill.usageRatio / 100,
      kafka_cku_shared_ratio: (100 - bill.usageRatio) / 100,
    },
  });
  expect(run.problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  const byLine = new Map<string, string[]>();
  for (const { resourceId, productType, identityId, amount: text, costType, method, detail } of rows) {
    const key = `${resourceId} ${productType}`;
    const row = [identityId, costType, method, detail ?? '-', unitsOf(text)].join(' ');
    byLine.set(key, [...(byLine.get(key) ?? []), row]);
  }
  return byLine;
}

describe('a second implementation of the CKU, network and even rules', () => {
  it('agrees on every row of random bills', async () => {
    await fc.assert(
      fc.asyncProperty(bills, async (bill) => {
        const stored = await storedRows(bill);
        for (const item of bill.amounts) {
          const rows = stored.get(`${item.cluster} ${item.productType}`) ?? [];
          expect(rows.toSorted()).toEqual(added(rowsOf(bill, item)));
          expect(rows.reduce((sum, row) => sum + BigInt(row.split(' ').at(-1)!), 0n)).toBe(item.units);
        }
      }),
      { numRuns: 60 },
    );
  });
});
