import { dayWindow, type IsoDate, type UsageQuery, type Window } from '@chargeback/plugin-api';
import type { TenantContext } from './tenant-context.ts';

/** Queries to ask for consecutive days. */
export interface UsageQuestion {
  readonly queries: readonly UsageQuery[];
  readonly window: Window;
}

/**
 * What is to be asked of the metrics source for a span. A bill is restated inside its lookback, measurements
 * are not: a query whose stored answer is whole is not asked again.
 */
export async function usageToAsk(context: TenantContext, span: readonly IsoDate[]): Promise<UsageQuestion[]> {
  const { usageQueries } = context.wiring;
  if (!context.ecosystem.metrics || usageQueries.length === 0) return [];
  const questions: { keys: string; queries: readonly UsageQuery[]; window: Window }[] = [];
  for (const date of span) {
    const queries = context.regather ? usageQueries : await missing(context, date);
    const keys = JSON.stringify(queries.map(({ key }) => key));
    const { start, end } = dayWindow(date);
    const last = questions.at(-1);
    if (last?.keys === keys && last.window.end.getTime() === start.getTime()) {
      last.window = { start: last.window.start, end };
    } else if (queries.length > 0) {
      questions.push({ keys, queries, window: { start, end } });
    }
  }
  return questions;
}

async function missing({ store, wiring }: TenantContext, date: IsoDate): Promise<readonly UsageQuery[]> {
  const stored = await store.usageCoverage(date);
  const absent = wiring.usageQueries.filter(({ key }) => {
    const answer = stored.get(key);
    return answer?.outcome !== 'complete' || answer.definition !== wiring.definitionOf(key);
  });
  return absent.length === wiring.usageQueries.length ? wiring.usageQueries : absent;
}
