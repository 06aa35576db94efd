import type { Decimal } from '@chargeback/money';
import { rateSchema } from '@chargeback/prometheus';
import { z } from 'zod';

const rates = {
  compute_hourly_rate: rateSchema.describe('Price of one broker for one hour.'),
  storage_per_gib_hourly: rateSchema.describe('Price of one GiB on disk, replicas counted, for one hour.'),
  network_ingress_per_gib: rateSchema.describe('Price of one GiB that producers send.'),
  network_egress_per_gib: rateSchema.describe('Price of one GiB that consumers fetch.'),
};

const overrideSchema = z.strictObject({
  compute_hourly_rate: rateSchema.optional(),
  storage_per_gib_hourly: rateSchema.optional(),
  network_ingress_per_gib: rateSchema.optional(),
  network_egress_per_gib: rateSchema.optional(),
});

/** Rates, and for each region those of them that differ there. */
export const costModelSchema = z.strictObject({
  ...rates,
  region_overrides: z
    .record(z.string().min(1), overrideSchema)
    .default({})
    .describe('Rates that differ in a region.'),
});

export type CostModel = z.output<typeof costModelSchema>;

/** Rates that are others from some day on; those that are not named stay. */
export const costModelChangeSchema = z.strictObject({
  ...overrideSchema.shape,
  region_overrides: z
    .record(z.string().min(1), overrideSchema)
    .default({})
    .describe('Rates that differ in a region from then on; an override of a region that is not named stays.'),
});

export type RateName = keyof typeof rates;

/** The rate that holds in a region: the override of that very rate, or the base model's. */
export function rateIn(model: CostModel, region: string | null | undefined, name: RateName): Decimal {
  const overrides =
    region && Object.hasOwn(model.region_overrides, region) ? model.region_overrides[region] : {};
  return overrides?.[name] ?? model[name];
}
