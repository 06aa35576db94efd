import { register as registerGenericMetrics } from '@chargeback/plugin-generic-metrics';
import { createSimulatorFetch, scaleModel } from '@chargeback/testkit';
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
