import { queryRanges, rateProblem } from '@chargeback/prometheus';
import { z } from 'zod';
import { QUERY_KEYS, type QueryKey } from './metric-presets.ts';
import { placeholdersIn, renderQuery } from './render-query.ts';

/** The queries whose samples are added up over a day. */
const ADDED_UP: ReadonlySet<QueryKey> = new Set([
  'cluster_bytes_in',
  'cluster_bytes_out',
  'bytes_in_per_principal',
  'bytes_out_per_principal',
]);

/** PromQL that replaces queries of the preset, one by one. */
export const queriesSchema = z.partialRecord(
  z.enum(QUERY_KEYS),
  z
    .string()
    .min(1)
    .describe(
      'PromQL with the placeholders {selector}, {label}, {step}, {instants}, {instant_seconds}, {window}.',
    ),
);

/** What is wrong with a query of the tenant's own; null when nothing is. */
export function queryProblem(
  key: QueryKey,
  query: string,
  { stepSeconds, matchers }: { stepSeconds: number; matchers: string },
): string | null {
  const { unknown, known } = placeholdersIn(query);
  if (unknown.length > 0) return `unknown placeholder ${unknown.join(', ')}; use ${known.join(', ')}`;
  if (matchers !== '' && !query.includes('{selector}') && !query.includes(matchers)) {
    return 'the query has no place for the selector, so it would see other clusters too: write metric{{selector}}';
  }
  if (!ADDED_UP.has(key)) return null;
  const rendered = renderQuery(query, { matchers, label: 'principal', stepSeconds, windowHours: 1 });
  return rangeProblem(rendered, stepSeconds) ?? rateProblem(rendered);
}

/**
 * A sample must stand for exactly its step: a longer range counts twice, a shorter one leaves gaps. A sub-query
 * may be shorter by one of its own steps, because versions disagree on whether it holds both of its ends.
 */
function rangeProblem(query: string, stepSeconds: number): string | null {
  for (const { text, seconds, subquery } of queryRanges(query)) {
    if (subquery ? seconds <= stepSeconds : seconds === stepSeconds) continue;
    return `the range [${text}] is not the step of ${stepSeconds} s; write [{step}]`;
  }
  return null;
}
