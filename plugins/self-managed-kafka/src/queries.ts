import { METRIC_PRESETS, type MetricPreset, type QueryKey } from './metric-presets.ts';
import { renderQuery } from './render-query.ts';
import { matchersOf } from './selector-schema.ts';
import type { Settings } from './settings.ts';

const HOURS_PER_DAY = 24;
const TRAFFIC: ReadonlySet<QueryKey> = new Set(['cluster_bytes_in', 'cluster_bytes_out']);

/** The queries of one tenant: its preset's, or its own. */
export interface Queries {
  readonly preset: MetricPreset;
  /** Label that names the principal. */
  readonly label: string;
  /** Whether a step without a sample is one in which nothing moved, as long as the brokers were scraped. */
  isQuiet(key: QueryKey): boolean;
  /** PromQL for samples that stand for `stepSeconds` each. */
  text(key: QueryKey, stepSeconds: number): string;
}

export function queriesOf(settings: Settings): Queries {
  const preset: MetricPreset = METRIC_PRESETS[settings.metric_preset];
  const label = settings.identity_source.label ?? preset.principalLabel;
  const matchers = matchersOf(settings.selector);
  return {
    preset,
    label,
    isQuiet: (key) =>
      preset.trafficFrom === 'quotas' && TRAFFIC.has(key) && settings.queries[key] === undefined,
    text: (key, stepSeconds) =>
      renderQuery(settings.queries[key] ?? preset.queries[key], {
        matchers,
        label,
        stepSeconds,
        windowHours: windowOf(key, settings),
      }),
  };
}

/** Who moved bytes on a day was there on that day, however short the discovery window is. */
function windowOf(
  key: QueryKey,
  { discovery_window_hours: hours, identity_source: source }: Settings,
): number {
  return key === 'principals' ? Math.max(source.discovery_window_hours ?? hours, HOURS_PER_DAY) : hours;
}
