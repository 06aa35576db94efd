import { MoneyError } from './money-error.ts';

/** A dimensionless, non-negative proportion. Never money. */
export type Weight = bigint;

/**
 * Samples are scaled by 2⁶⁴ before they become integers: exact for every double from 2⁻¹² on, and small
 * samples (seconds, ratios) keep their proportions too. What is below 2⁻⁶⁵ counts as zero.
 */
const SAMPLE_SCALE = 2 ** 64;

/**
 * Turns a usage sample into a weight, once. The scale is the same for every sample, so that the weights
 * of one line are comparable.
 * @throws {MoneyError} `CB_MONEY_WEIGHT` for NaN, infinite and negative samples: callers reject those
 *   when they gather, with a coded warning and a lower coverage.
 */
export function weightFromSample(sample: number): Weight {
  if (!Number.isFinite(sample) || sample < 0) {
    throw new MoneyError('CB_MONEY_WEIGHT', `not a usable sample: ${sample}`);
  }
  const scaled = sample * SAMPLE_SCALE;
  // A sample too large to scale is an integer already (every double above 2⁵³ is).
  return Number.isFinite(scaled) ? BigInt(Math.round(scaled)) : BigInt(sample) * BigInt(SAMPLE_SCALE);
}
