export {
  constructLine,
  type ConstructedLine,
  type LineQuantity,
  type LineToConstruct,
} from './construct-line.ts';
export type { CounterBridge } from './bridged-days.ts';
export { currencySchema } from './currency-schema.ts';
export { type MetricsConnection, metricsConnectionSchema, serverUrlSchema } from './connection.ts';
export { type DailyTotal, type DailyTotalQuery, fetchDailyTotals } from './daily-totals.ts';
export { escapeLabelValue, injectMatcher, labelMatcher } from './label-matcher.ts';
export { type IdentityList, listedIdentities, mappedTeam } from './listed-identities.ts';
export { createMetricsSource, type MetricsSourceOptions } from './metrics-source.ts';
export { planRange, type RangeChunk } from './plan-range.ts';
export {
  createPrometheusClient,
  type PrometheusClient,
  type PrometheusHost,
  type RangeRequest,
} from './prometheus-client.ts';
export { ownStepProblem, type QueryRange, queryRanges, rateProblem, stepOf } from './query-ranges.ts';
export { rateSchema } from './rate-schema.ts';
export { quoteWithout } from './quote-server.ts';
export type { RangeAnswer } from './range-answer.ts';
export { readBounded } from './read-bounded.ts';
export {
  type Attempt,
  createRetrier,
  parseRetryAfter,
  type Retrier,
  type RetryableFailure,
} from './retrier.ts';
export type { RangeSeries } from './scan-matrix.ts';
export { createScrapeCoverage, type ScrapeCoverage, type ScrapeQuery } from './scrape-coverage.ts';
export { staticIdentitiesSchema } from './static-identities-schema.ts';
