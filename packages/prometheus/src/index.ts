export { type MetricsConnection, metricsConnectionSchema } from './connection.ts';
export { type DailyTotal, type DailyTotalQuery, fetchDailyTotals } from './daily-totals.ts';
export { escapeLabelValue, injectMatcher, labelMatcher } from './label-matcher.ts';
export { createMetricsSource } from './metrics-source.ts';
export { planRange, type RangeChunk } from './plan-range.ts';
export {
  createPrometheusClient,
  type PrometheusClient,
  type PrometheusHost,
  type RangeRequest,
} from './prometheus-client.ts';
export type { RangeAnswer } from './range-answer.ts';
export type { RangeSeries } from './scan-matrix.ts';
