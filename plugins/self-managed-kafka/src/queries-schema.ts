import { z } from 'zod';
import { QUERY_KEYS, type QueryKey } from './metric-presets.ts';
import { placeholdersIn } from './render-query.ts';

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

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
    .describe('PromQL with the placeholders {selector}, {step}, {instants}, {instant_seconds}.'),
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
  return ADDED_UP.has(key) ? rangeProblem(query, stepSeconds) : null;
}

/** A sample must stand for exactly its step: a longer range counts twice, a shorter one leaves gaps. */
function rangeProblem(query: string, stepSeconds: number): string | null {
  const ranges = rangesIn(query);
  const subqueries = ranges.filter((range) => range.includes(':'));
  for (const range of subqueries.length > 0 ? subqueries : ranges) {
    const [text = ''] = range.split(':');
    const seconds = secondsOf(text);
    const fits = subqueries.length > 0 ? seconds <= stepSeconds : seconds === stepSeconds;
    if (!fits && text !== '{step}' && range !== '{instants}') {
      return `the range [${range}] is not the step of ${stepSeconds} s; write [{step}]`;
    }
  }
  const code = withoutStrings(query);
  if (/\bi?rate\s*\(/.test(code) && !code.includes('*')) {
    return 'the query returns a rate per second, but amounts are added up: use increase(…[{step}]) instead';
  }
  return null;
}

function rangesIn(query: string): string[] {
  return [...withoutStrings(query).matchAll(/\[([^\]]*)\]/g)].map(([, range = '']) => range.trim());
}

function withoutStrings(query: string): string {
  return query.replaceAll(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`|#[^\n]*/g, '');
}

/** `1h30m` or `5400` as seconds; NaN for anything else. */
function secondsOf(duration: string): number {
  if (/^\d+(\.\d+)?$/.test(duration)) return Number(duration);
  if (!/^(\d+(ms|[smhdwy]))+$/.test(duration)) return Number.NaN;
  let seconds = 0;
  for (const [, count, unit] of duration.matchAll(/(\d+)(ms|[smhdwy])/g)) {
    seconds += Number(count) * UNIT_SECONDS[unit!]!;
  }
  return seconds;
}
