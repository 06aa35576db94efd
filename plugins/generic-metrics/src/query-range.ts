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

/** What a user's PromQL says about time. */
interface QueryRanges {
  /** Seconds of the outermost range selectors, each once; a range inside a subquery does not count. */
  readonly ranges: readonly number[];
  readonly usesRate: boolean;
  readonly multiplies: boolean;
}

/**
 * The step at which a query that adds up increases must be sampled: the length of its own range selector,
 * so that every second of the day is counted exactly once. `fallback` where the query has no range.
 */
export function stepOf(query: string, fallback: number): number {
  return rangesOf(query).ranges[0] ?? fallback;
}

/** What is wrong with a query whose samples are added up over a day; null when nothing is. */
export function queryProblem(query: string): string | null {
  const { ranges, usesRate, multiplies } = rangesOf(query);
  if (ranges.length > 1) {
    return `the query mixes the ranges ${ranges.map((range) => `${range}s`).join(' and ')}; use one range throughout`;
  }
  const [range] = ranges;
  if (range !== undefined && (range < 1 || SECONDS_PER_DAY % range !== 0)) {
    return `the range ${range}s does not divide a day; use a range such as [1h]`;
  }
  if (usesRate && !multiplies) {
    return 'the query returns a rate per second, but amounts are added up: use increase(…[1h]) instead';
  }
  return null;
}

function rangesOf(query: string): QueryRanges {
  const ranges = new Set<number>();
  let usesRate = false;
  let multiplies = false;
  parser.parse(query).iterate({
    enter(node) {
      if (node.name === 'Rate' || node.name === 'Irate') usesRate = true;
      if (node.name === 'Mul') multiplies = true;
      if (node.name !== 'MatrixSelector' && node.name !== 'SubqueryExpr') return true;
      const duration = node.node.getChild('DurationExpr');
      if (duration) ranges.add(secondsOf(query.slice(duration.from, duration.to)));
      return false;
    },
  });
  return { ranges: [...ranges], usesRate, multiplies };
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
