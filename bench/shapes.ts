import { register as registerGenericMetrics } from '@chargeback/plugin-generic-metrics';
import { register as registerSelfManagedKafka } from '@chargeback/plugin-self-managed-kafka';
import { createSimulatorFetch, kafkaScaleModel, scaleModel } from '@chargeback/testkit';
import type { Shape } from './bill-simulated.ts';
import { ccloud, ccloudLarge } from './ccloud-shapes.ts';

const END = new Date('2026-07-01T00:00:00.000Z');
const COST_TYPES = 5;
const metrics = { url: 'http://prometheus.bench.invalid' };

export interface ShapeSize {
  readonly identities: number;
  readonly days: number;
}

/** The shapes by name, each with the size it has when none is given. */
export const SHAPES = {
  'generic-metrics': { make: genericMetrics, identities: 500 },
  'self-managed-kafka': { make: selfManagedKafka, identities: 2000 },
  ccloud: { make: ccloud, identities: 200 },
  'ccloud-large': { make: ccloudLarge, identities: 1000 },
} as const;

export type ShapeName = keyof typeof SHAPES;

/** 5 cost types, each allocated by its own usage query to every identity. */
function genericMetrics({ identities, days }: ShapeSize): Shape {
  const model = scaleModel({ identities, costTypes: COST_TYPES, days, endDate: END });
  return {
    plugin: registerGenericMetrics(),
    window: model.window,
    simulator: createSimulatorFetch(model),
    settings: {
      cluster_id: 'bench',
      metrics,
      identity_source: { label: 'principal', discovery_query: 'group by (principal) (scale_bytes_1_total)' },
      cost_types: Array.from({ length: COST_TYPES }, (_, index) => ({
        name: `NETWORK_${index}`,
        product_category: 'network',
        rate: '60',
        cost_quantity: { type: 'network_gib', query: `sum(increase(scale_bytes_${index + 1}_total[1h]))` },
        allocation_strategy: 'usage_ratio',
        allocation_query: `sum by (principal) (increase(scale_bytes_${index + 1}_total[1h]))`,
        allocation_label: 'principal',
      })),
    },
  };
}

/** 4 lines a day, each allocated to every principal: two by bytes, two evenly. */
function selfManagedKafka({ identities, days }: ShapeSize): Shape {
  const model = kafkaScaleModel({ principals: identities, days, endDate: END });
  return {
    plugin: registerSelfManagedKafka(),
    window: model.window,
    simulator: createSimulatorFetch(model),
    settings: {
      cluster_id: 'bench',
      broker_count: 3,
      metrics,
      cost_model: {
        compute_hourly_rate: '50',
        storage_per_gib_hourly: '0.1',
        network_ingress_per_gib: '1',
        network_egress_per_gib: '2',
      },
    },
  };
}
