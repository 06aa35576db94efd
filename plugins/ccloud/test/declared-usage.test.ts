import { describe, expect, it } from 'vitest';
import {
  apiKey,
  identity,
  line,
  resource,
  routesOf,
  settle,
  statement,
  usage,
  type World,
} from './products-support.ts';

const KEYS = ['bytes_in', 'bytes_out', 'flink_cfu'] as const;
type Key = (typeof KEYS)[number];
/** What a source may have said of a query: nothing at all, that there was nothing, or that somebody was there. */
const STATES = ['absent', 'failed', 'nobody', 'sa-2', 'job'] as const;
type State = (typeof STATES)[number];

const PRODUCTS = routesOf().routes.map(({ productType }) => productType);
const resourceOf = (productType: string): string => `r-${productType}`;

/** One line of every product, each on a resource of its own that a key opens and a statement runs on. */
function worldOf(states: Readonly<Record<Key, State>>): World {
  return {
    lines: PRODUCTS.map((type) => line(type, '12', resourceOf(type), type)),
    resources: PRODUCTS.flatMap((type) => [
      resource(resourceOf(type), 'anything'),
      { ...statement('job', 'sa-3', false, resourceOf(type)), resourceId: `job-${type}` },
    ]),
    identities: [
      ...['sa-1', 'sa-2', 'sa-3'].map((id) => identity(id)),
      ...PRODUCTS.map((type) => apiKey(`K-${type}`, resourceOf(type), 'sa-1')),
    ],
    usage: KEYS.flatMap((key) => {
      const state = states[key];
      if (state === 'absent') return [];
      if (state === 'failed') return [usage(key, [], 'failed')];
      if (state === 'nobody') return [usage(key, [])];
      return [
        usage(
          key,
          PRODUCTS.map((type) => [resourceOf(type), state, 5] as const),
        ),
      ];
    }),
  };
}

/** Who bears what of each product, as text. */
async function bearersOf(states: Readonly<Record<Key, State>>): Promise<Map<string, string>> {
  const { rows } = await settle(worldOf(states));
  const byProduct = new Map<string, string[]>(PRODUCTS.map((type) => [type, []]));
  for (const { productType, identityId, amount, costType } of rows) {
    byProduct.get(productType)!.push([identityId, amount, costType].join(' '));
  }
  return new Map([...byProduct].map(([type, texts]) => [type, texts.toSorted().join(', ')]));
}

describe('the usage that a product declares', () => {
  it('is that which changes who bears it, no more and no less, for every product', async () => {
    const worlds: { states: Record<Key, State>; bearers: Map<string, string> }[] = [];
    for (const bytes_in of STATES)
      for (const bytes_out of STATES)
        for (const flink_cfu of STATES) {
          const states = { bytes_in, bytes_out, flink_cfu };
          worlds.push({ states, bearers: await bearersOf(states) });
        }
    const matters = new Map<string, Set<Key>>(PRODUCTS.map((type) => [type, new Set()]));
    for (const key of KEYS) {
      // Worlds that differ in nothing but this key.
      const alike = Map.groupBy(worlds, ({ states }) => JSON.stringify({ ...states, [key]: null }));
      for (const group of alike.values()) {
        for (const type of PRODUCTS) {
          if (new Set(group.map(({ bearers }) => bearers.get(type))).size > 1) matters.get(type)!.add(key);
        }
      }
    }
    const declared = routesOf().routes.map(({ productType, usage: queries }) => [
      productType,
      queries.map(({ key }) => key).toSorted(),
    ]);
    expect(declared).toEqual([...matters].map(([type, keys]) => [type, [...keys].toSorted()]));
    expect(matters.get('KAFKA_BASE')).toEqual(new Set(['bytes_in', 'bytes_out']));
    expect(matters.get('SUPPORT')).toEqual(new Set());
  });

  it.each(['KAFKA_BASE', 'KAFKA_STORAGE', 'KAFKA_PARTITION', 'KAFKA_NETWORK_READ', 'KAFKA_NUM_CKUS'])(
    'an outage holds %s, and leaves alone what no metric speaks of',
    async (productType) => {
      const { run, rows } = await settle({
        lines: [line(productType, '12', 'lkc-1'), line('SCHEMA_REGISTRY', '6', 'lsrc-1')],
        resources: [resource('lkc-1', 'kafka_cluster'), resource('lsrc-1', 'schema_registry')],
        identities: [identity('sa-1'), apiKey('K1', 'lkc-1', 'sa-1'), apiKey('K2', 'lsrc-1', 'sa-1')],
        usage: [usage('bytes_in', [], 'failed'), usage('bytes_out', [['lkc-1', 'sa-2', 1]])],
        missingUsage: 'hold',
      });
      expect(run.datesHeld).toBe(1);
      expect(rows.map((row) => [row.productType, row.identityId, row.amount])).toEqual([
        ['SCHEMA_REGISTRY', 'sa-1', '6.0000'],
      ]);
    },
  );
});

describe('usage of nobody', () => {
  it('is borne by UNALLOCATED on its own cluster, and makes nobody active', async () => {
    const { rows, total } = await settle({
      lines: [
        line('KAFKA_NETWORK_WRITE', '10', 'lkc-1'),
        line('KAFKA_NETWORK_WRITE', '10', 'lkc-2'),
        line('KAFKA_STORAGE', '6', 'lkc-1'),
        line('FLINK_NUM_CFUS', '8', 'lfcp-1'),
      ],
      resources: [statement('job', 'sa-2', false, 'lfcp-1')],
      identities: ['sa-1', 'sa-2'].map((id) => identity(id)),
      usage: [
        usage('bytes_in', [
          ['UNALLOCATED', 'sa-1', 1000],
          ['lkc-1', 'UNALLOCATED', 3],
          ['lkc-1', 'sa-1', 1],
          ['lkc-2', 'sa-1', 1],
        ]),
        usage('bytes_out', []),
        usage('flink_cfu', [
          ['lfcp-1', 'UNALLOCATED', 1],
          ['lfcp-1', 'job', 3],
        ]),
      ],
    });
    expect(rows.map((row) => [row.productType, row.resourceId, row.identityId, row.amount])).toEqual(
      expect.arrayContaining([
        ['KAFKA_NETWORK_WRITE', 'lkc-1', 'UNALLOCATED', '7.5000'],
        ['KAFKA_NETWORK_WRITE', 'lkc-1', 'sa-1', '2.5000'],
        ['KAFKA_NETWORK_WRITE', 'lkc-2', 'sa-1', '10.0000'],
        ['KAFKA_STORAGE', 'lkc-1', 'sa-1', '6.0000'],
        ['FLINK_NUM_CFUS', 'lfcp-1', 'UNALLOCATED', '2.0000'],
        ['FLINK_NUM_CFUS', 'lfcp-1', 'sa-2', '6.0000'],
      ]),
    );
    expect(rows).toHaveLength(6);
    expect(total).toBe('34.0000');
  });
});
