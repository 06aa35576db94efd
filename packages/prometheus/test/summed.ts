import type { Logger, UsageDay, UsageQuery, Window } from '@chargeback/plugin-api';
import { createMetricsSource, type PrometheusClient } from '../src/index.ts';
import { never, silent } from './support.ts';

/** Answers with samples and with totals that the server added up, and why it did not. */
export interface BothWays {
  readonly bySample: UsageDay[];
  readonly summed: UsageDay[];
  readonly reasons: string[];
}

export async function bothWays(
  client: PrometheusClient,
  window: Window,
  ...queries: UsageQuery[]
): Promise<BothWays> {
  const reasons: string[] = [];
  const logger: Logger = { ...silent, warn: (fields) => reasons.push(JSON.stringify(fields)) };
  const ask = async (dailySubqueries: 'off' | 'auto'): Promise<UsageDay[]> => {
    const answered: UsageDay[] = [];
    const source = createMetricsSource(client, {
      concurrency: 2,
      dailySubqueries,
      logger,
      worthwhileSamples: 2000,
    });
    for await (const day of source.usage(queries, window, never())) answered.push(day);
    return answered.toSorted((left, right) =>
      `${left.queryKey} ${left.date}`.localeCompare(`${right.queryKey} ${right.date}`),
    );
  };
  const bySample = await ask('off');
  return { bySample, summed: await ask('auto'), reasons };
}
