import type { CounterBridge } from '@chargeback/prometheus';
import {
  type ExtraQueryKey,
  METRIC_PRESETS,
  type MetricPreset,
  type PresetQueryKey,
  type QueryKey,
} from './metric-presets.ts';
import { renderQuery } from './render-query.ts';
import { matchersOf, withoutLabels } from './selector-schema.ts';
import type { Settings } from './settings.ts';

const HOURS_PER_DAY = 24;
const SECONDS_PER_DAY = 86_400;
/** Labels of single topics, which what tells of scrapes does not have. */
const TOPIC_LABELS = ['topic', 'topic_name', 'partition'];
const SCRAPES: ReadonlySet<QueryKey> = new Set(['scrapes', 'exporter_scrapes']);
const TRAFFIC: ReadonlySet<QueryKey> = new Set(['cluster_bytes_in', 'cluster_bytes_out']);

/** The queries of one tenant: its preset's, or its own. */
export interface Queries {
  readonly preset: MetricPreset;
  /** Label that names the principal. */
  readonly label: string;
  /** Whether a step without a sample is one in which nothing moved, as long as the brokers were scraped. */
  isQuiet(key: QueryKey): boolean;
  /** PromQL for samples that stand for `stepSeconds` each. */
  text(key: PresetQueryKey, stepSeconds: number): string;
  /** Null where neither the preset nor the tenant has one. */
  extraText(key: ExtraQueryKey, stepSeconds: number): string | null;
  /** The same of counters over a whole day; null where the query is none of `increase` alone. */
  bridge(key: PresetQueryKey, stepSeconds: number): CounterBridge | null;
}

export function queriesOf(settings: Settings): Queries {
  const preset: MetricPreset = METRIC_PRESETS[settings.metric_preset];
  const label = settings.identity_source.label ?? preset.principalLabel;
  const matchers = matchersOf(settings.selector);
  const ofBrokers = withoutLabels(matchers, [...TOPIC_LABELS, preset.topicLabel]);
  const textOf = (key: QueryKey, stepSeconds: number): string | null => {
    const template = settings.queries[key] ?? preset.queries[key];
    const windowHours = windowOf(key, settings);
    return template === undefined
      ? null
      : renderQuery(template, {
          matchers: SCRAPES.has(key) ? ofBrokers : matchers,
          label,
          stepSeconds,
          windowHours,
        });
  };
  // Every other key is in every preset.
  const text: Queries['text'] = (key, stepSeconds) => textOf(key, stepSeconds)!;
  return {
    preset,
    label,
    isQuiet: (key) =>
      preset.trafficFrom === 'quotas' && TRAFFIC.has(key) && settings.queries[key] === undefined,
    text,
    extraText: textOf,
    bridge: (key, stepSeconds) => {
      const increase = text(key, SECONDS_PER_DAY);
      const isCounted = /\bincrease\s*\(/.test(increase) && !/_over_time\s*\(/.test(increase);
      if (!isCounted || increase === text(key, stepSeconds)) return null;
      return { increase, resets: increase.replaceAll(/\bincrease\s*\(/g, 'resets(') };
    },
  };
}

/** Who moved bytes on a day was there on that day, however short the discovery window is. */
function windowOf(
  key: QueryKey,
  { discovery_window_hours: hours, identity_source: source }: Settings,
): number {
  return key === 'principals' ? Math.max(source.discovery_window_hours ?? hours, HOURS_PER_DAY) : hours;
}
