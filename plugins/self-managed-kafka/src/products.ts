import type { LineQuantity } from '@chargeback/prometheus';
import type { PresetQueryKey } from './metric-presets.ts';
import type { RateName } from './cost-model-schema.ts';

/** A line of the daily bill. */
export interface Product {
  readonly productType: string;
  readonly rate: RateName;
  /** Where the quantity comes from: the number of brokers, the mean of a gauge, or the sum of increases. */
  readonly quantity: LineQuantity['kind'];
  /** The query behind it; null for what is fixed. */
  readonly query: PresetQueryKey | null;
}

export const PRODUCT_CATEGORY = 'kafka';

/** The four lines of each day. Source: "Constructed cost math" of the cost specification. */
export const PRODUCTS = {
  compute: {
    productType: 'SELF_KAFKA_COMPUTE',
    rate: 'compute_hourly_rate',
    quantity: 'fixed',
    query: null,
  },
  storage: {
    productType: 'SELF_KAFKA_STORAGE',
    rate: 'storage_per_gib_hourly',
    quantity: 'held',
    query: 'cluster_storage_bytes',
  },
  ingress: {
    productType: 'SELF_KAFKA_NETWORK_INGRESS',
    rate: 'network_ingress_per_gib',
    quantity: 'moved',
    query: 'cluster_bytes_in',
  },
  egress: {
    productType: 'SELF_KAFKA_NETWORK_EGRESS',
    rate: 'network_egress_per_gib',
    quantity: 'moved',
    query: 'cluster_bytes_out',
  },
} as const satisfies Record<string, Product>;
