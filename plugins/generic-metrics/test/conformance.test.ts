import {
  createMetricsModel,
  createSimulatorFetch,
  type EcosystemWorld,
  type MetricDefinition,
  testEcosystem,
} from '@chargeback/testkit';
import { describe, it } from 'vitest';
import { register } from '../src/index.ts';

const window = { start: new Date('2026-02-01T00:00:00Z'), end: new Date('2026-02-04T00:00:00Z') };
const principals = ['svc-a', 'svc-b', 'svc-c'];

const metric = (
  name: string,
  kind: MetricDefinition['kind'],
  at: (index: number, hour: number) => number,
): MetricDefinition => ({
  name,
  kind,
  series: principals.map((principal, index) => ({
    labels: { principal },
    at: (hour: number) => at(index, hour),
  })),
});

function world(): EcosystemWorld {
  const metrics = [
    metric('received_total', 'counter', (index, hour) => (index + 1) * 1_000_000_000 + hour),
    metric('stored', 'gauge', (index) => (index + 2) * 5_000_000_000),
  ];
  return {
    window,
    fetch: createSimulatorFetch(createMetricsModel({ window, metrics })),
    settings: {
      cluster_id: 'c1',
      metrics: { url: 'http://prometheus.test.invalid' },
      identity_source: {
        source: 'both',
        discovery_query: 'group by (principal) (received_total)',
        static_identities: [{ identity_id: 'team-a', identity_type: 'team' }],
      },
      cost_types: [
        {
          name: 'COMPUTE',
          product_category: 'compute',
          rate: '2.50',
          cost_quantity: { type: 'fixed', count: 3 },
          allocation_strategy: 'even_split',
        },
        {
          name: 'INGRESS',
          product_category: 'network',
          rate: '0.0123',
          cost_quantity: { type: 'network_gib', query: 'sum(increase(received_total[1h]))' },
          allocation_strategy: 'usage_ratio',
          allocation_query: 'sum by (principal) (increase(received_total[1h]))',
          allocation_label: 'principal',
        },
        {
          name: 'STORAGE',
          product_category: 'storage',
          rate: '0.0001',
          cost_quantity: { type: 'storage_gib', query: 'sum(stored)' },
          allocation_strategy: 'usage_ratio',
          allocation_query: 'sum by (principal) (stored)',
          allocation_label: 'principal',
        },
      ],
    },
  };
}

testEcosystem({ describe, it }, register, { world });
