import { MILLISECONDS_PER_DAY } from '@chargeback/plugin-api';
import type { MetricDefinition } from './metric-definition.ts';
import { createMetricsModel, type MetricsModel } from './metrics-model.ts';
import { noise, seedOf } from './random.ts';

export interface KafkaScaleOptions {
  /** Principals, each of which sends and fetches in every hour. Default: 2,000. */
  readonly principals?: number;
  readonly brokers?: number;
  readonly topics?: number;
  /** Whole days. Default: 30. */
  readonly days?: number;
  /** Midnight UTC after the last of them. */
  readonly endDate: Date;
  readonly seed?: number;
}

/**
 * A cluster for benchmarks under the plain names: byte counters that name the principal, beside an aggregate of
 * all topics, and the log size of every replica. Each day has four lines and `principals × 4` rows: 240,000 in
 * 30 days as it stands.
 */
export function kafkaScaleModel(options: KafkaScaleOptions): MetricsModel {
  const { days = 30, endDate } = options;
  return createMetricsModel({
    window: { start: new Date(endDate.getTime() - days * MILLISECONDS_PER_DAY), end: endDate },
    metrics: [byteCounters('in', options), byteCounters('out', options), logSizes(options)],
  });
}

function byteCounters(direction: 'in' | 'out', options: KafkaScaleOptions): MetricDefinition {
  const { principals = 2000, topics = 50, seed = 1 } = options;
  const topicOf = (index: number): string => `topic-${index % topics}`;
  return {
    name: `kafka_server_brokertopicmetrics_bytes${direction}_total`,
    kind: 'counter',
    series: [
      ...Array.from({ length: principals }, (_, index) => {
        const own = seedOf(seed, `${direction}/${index}`);
        const mean = 10_000_000 * (1 + (index % 7));
        const principal = `User:svc-${String(index + 1).padStart(5, '0')}`;
        const at = (hour: number): number => Math.floor(mean * (0.5 + noise(own, hour)));
        return { labels: { topic: topicOf(index), principal }, at };
      }),
      // Of all topics: whoever adds it to the rest counts everything twice.
      { labels: {}, at: () => 40_000_000 * principals },
    ],
  };
}

function logSizes({ brokers = 3, topics = 50 }: KafkaScaleOptions): MetricDefinition {
  const series = Array.from({ length: topics * brokers }, (_, index) => {
    const labels = {
      topic: `topic-${Math.floor(index / brokers)}`,
      partition: '0',
      broker: String((index % brokers) + 1),
    };
    return { labels, at: (hour: number) => 1_073_741_824 * (1 + (index % 5)) + (hour % 24) * 1_048_576 };
  });
  return { name: 'kafka_log_log_size', kind: 'gauge', series };
}
