import { isComplete, type IsoDate, type Window } from '@chargeback/plugin-api';
import { fetchDailyTotals, type PrometheusClient, type ScrapeCoverage } from '@chargeback/prometheus';
import type { PresetQueryKey } from './metric-presets.ts';
import type { Queries } from './queries.ts';

/** The byte counters that say whether there was anything for a query to tell. */
const MOVED: Readonly<Record<string, readonly PresetQueryKey[]>> = {
  bytes_in_per_principal: ['cluster_bytes_in'],
  bytes_out_per_principal: ['cluster_bytes_out'],
  principals: ['cluster_bytes_in', 'cluster_bytes_out'],
};

export interface IdleDaysRequest {
  readonly client: PrometheusClient;
  readonly queries: Queries;
  readonly scrapes: ScrapeCoverage;
  readonly stepSeconds: number;
}

/**
 * Days on which quota metrics are silent because nothing moved: the byte counters of a whole day say 0. Where
 * traffic itself comes from quota metrics nothing else tells, and no day is idle.
 */
export function idleDaysOf({ client, queries, scrapes, stepSeconds }: IdleDaysRequest) {
  return async (queryKey: string, window: Window, signal: AbortSignal): Promise<ReadonlySet<IsoDate>> => {
    const counters = MOVED[queryKey] ?? [];
    const isTold = queries.preset.principalsFrom === 'quotas' && counters.length > 0;
    if (!isTold || counters.some((key) => queries.isQuiet(key))) return new Set();
    const idle = await Promise.all(
      counters.map(async (key) => {
        const dates = new Set<IsoDate>();
        const bridge = queries.bridge(key, stepSeconds);
        const query = {
          ...(bridge ? { bridge } : {}),
          key,
          expression: () => queries.text(key, stepSeconds),
          stepSeconds,
          reduce: 'sum' as const,
        };
        for await (const day of fetchDailyTotals(client, query, { window, signal, scrapes })) {
          if (day.value === 0 && isComplete(day.coverage)) dates.add(day.date);
        }
        return dates;
      }),
    );
    return new Set([...idle[0]!].filter((date) => idle.every((dates) => dates.has(date))));
  };
}
