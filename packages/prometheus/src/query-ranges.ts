import { parser } from '@prometheus-io/lezer-promql';

const SECONDS_PER_DAY = 86_400;
const UNIT_SECONDS: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

/** An outermost range selector of a query, or an outermost sub-query. */
export interface QueryRange {
  /** As it is written, without brackets. */
  readonly text: string;
  readonly seconds: number;
  readonly subquery: boolean;
}

/** The ranges of a user's PromQL; one inside a sub-query does not count. */
export function queryRanges(query: string): QueryRange[] {
  const ranges: QueryRange[] = [];
  parser.parse(query).iterate({
    enter({ name, node }) {
      if (name !== 'MatrixSelector' && name !== 'SubqueryExpr') return true;
      const duration = node.getChild('DurationExpr');
      if (duration) {
        const text = query.slice(duration.from, duration.to);
        ranges.push({ text, seconds: secondsOf(text), subquery: name === 'SubqueryExpr' });
      }
      return false;
    },
  });
  return ranges;
}

/** Says what is wrong with adding up the samples of a bare rate per second; null for any other query. */
export function rateProblem(query: string): string | null {
  let usesRate = false;
  let multiplies = false;
  parser.parse(query).iterate({
    enter({ name }) {
      if (name === 'Rate' || name === 'Irate') usesRate = true;
      if (name === 'Mul') multiplies = true;
      return name !== 'MatrixSelector' && name !== 'SubqueryExpr';
    },
  });
  return usesRate && !multiplies
    ? 'the query returns a rate per second, but amounts are added up: use increase(…[1h]) instead'
    : null;
}

/**
 * The step at which a query that adds up increases must be sampled: the length of its own range selector,
 * so that every second of the day is counted exactly once. `fallback` where the query has no range.
 */
export function stepOf(query: string, fallback: number): number {
  return queryRanges(query)[0]?.seconds ?? fallback;
}

/** What is wrong with a query whose own range is the step it is sampled at; null when nothing is. */
export function ownStepProblem(query: string): string | null {
  const ranges = [...new Set(queryRanges(query).map(({ seconds }) => seconds))];
  if (ranges.length > 1) {
    return `the query mixes the ranges ${ranges.map((range) => `${range}s`).join(' and ')}; use one range throughout`;
  }
  const [range] = ranges;
  if (range !== undefined && (range < 1 || SECONDS_PER_DAY % range !== 0)) {
    return `the range ${range}s does not divide a day; use a range such as [1h]`;
  }
  return rateProblem(query);
}

/** `1h30m`, `90m` or `5400` as seconds. */
function secondsOf(duration: string): number {
  if (/^\d+(\.\d+)?$/.test(duration)) return Number(duration);
  let seconds = 0;
  for (const [, count, unit] of duration.matchAll(/(\d+)(ms|[smhdwy])/g)) {
    seconds += Number(count) * UNIT_SECONDS[unit!]!;
  }
  return seconds;
}
