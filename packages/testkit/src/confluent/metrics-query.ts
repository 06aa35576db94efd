import { MILLISECONDS_PER_DAY, MILLISECONDS_PER_HOUR } from '@chargeback/plugin-api';
import type { Labels } from '../simulator/metric-definition.ts';
import { Refusal } from './api-answer.ts';

/** A query of the Metrics API. */
export interface MetricsQuery {
  /** By the name in the vendor's Prometheus export. */
  readonly metric: string;
  /** Fields of the answer, with the label of the export for each. */
  readonly groupBy: readonly { readonly field: string; readonly label: string }[];
  readonly matches: (labels: Labels) => boolean;
  /** Milliseconds since 1970, half-open. */
  readonly from: number;
  readonly to: number;
  /** Length of a point; the whole interval for `ALL`. */
  readonly granularity: number;
  readonly limit: number;
  readonly grouped: boolean;
}

const MINUTE = 60_000;
/** Length of a point, and the longest interval that may be asked for in such points. */
const GRANULARITIES: Readonly<Record<string, readonly [length: number, longest: number]>> = {
  PT1M: [MINUTE, 6 * MILLISECONDS_PER_HOUR],
  PT5M: [5 * MINUTE, MILLISECONDS_PER_DAY],
  PT15M: [15 * MINUTE, 4 * MILLISECONDS_PER_DAY],
  PT30M: [30 * MINUTE, 7 * MILLISECONDS_PER_DAY],
  PT1H: [MILLISECONDS_PER_HOUR, Infinity],
  PT4H: [4 * MILLISECONDS_PER_HOUR, Infinity],
  PT6H: [6 * MILLISECONDS_PER_HOUR, Infinity],
  PT12H: [12 * MILLISECONDS_PER_HOUR, Infinity],
  P1D: [MILLISECONDS_PER_DAY, Infinity],
  ALL: [Infinity, Infinity],
};

const LABELS: Readonly<Record<string, string>> = {
  'resource.kafka.id': 'kafka_id',
  'resource.compute_pool.id': 'compute_pool_id',
  'resource.flink_statement.name': 'flink_statement_name',
  'metric.principal_id': 'principal_id',
  'metric.type': 'type',
};

/** Reads the body of a query. Throws {@link Refusal}. */
export function readMetricsQuery(body: string): MetricsQuery {
  const query = parsed(body);
  const { aggregations, group_by = [], granularity, intervals, limit = 100, format = 'FLAT' } = query;
  const metric = Array.isArray(aggregations) && aggregations.length === 1 ? aggregations[0]?.metric : null;
  if (typeof metric !== 'string') throw invalid('aggregations must name one metric');
  if (!Array.isArray(group_by)) throw invalid('group_by must be a list');
  if (!Number.isInteger(limit) || Number(limit) < 1 || Number(limit) > 1000) {
    throw invalid('limit must be from 1 to 1000');
  }
  if (format !== 'FLAT' && format !== 'GROUPED') throw invalid('format must be FLAT or GROUPED');
  const { from, to } = intervalOf(intervals);
  const known = GRANULARITIES[String(granularity)];
  if (!known) throw invalid(`granularity ${String(granularity)} is not supported`);
  const [length, longest] = known;
  if (to - from > longest) throw invalid(`the interval is too long for ${String(granularity)}`);
  return {
    metric: metric.replace(/^io\./, '').replaceAll(/[./]/g, '_'),
    groupBy: group_by.map((field: unknown) => ({ field: String(field), label: labelOf(field) })),
    matches: query.filter === undefined ? () => true : matcherOf(query.filter),
    from,
    to,
    granularity: Math.min(length, to - from),
    limit: Number(limit),
    grouped: format === 'GROUPED',
  };
}

interface QueryBody {
  readonly aggregations?: readonly { readonly metric?: unknown }[];
  readonly group_by?: unknown;
  readonly granularity?: unknown;
  readonly intervals?: unknown;
  readonly limit?: unknown;
  readonly format?: unknown;
  readonly filter?: FilterBody;
}

interface FilterBody {
  readonly op?: unknown;
  readonly field?: unknown;
  readonly value?: unknown;
  readonly filters?: readonly FilterBody[];
}

function parsed(body: string): QueryBody {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  throw invalid('the body must be a JSON object');
}

function intervalOf(intervals: unknown): { from: number; to: number } {
  const text = Array.isArray(intervals) && intervals.length === 1 ? String(intervals[0]) : '';
  const [from = Number.NaN, to = Number.NaN] = text.split('/').map((part) => Date.parse(part));
  if (!(from < to)) throw invalid('intervals must hold one interval, start/end');
  return { from, to };
}

function matcherOf({ op, field, value, filters = [] }: FilterBody): MetricsQuery['matches'] {
  if (op === 'EQ') {
    const label = labelOf(field);
    return (labels) => labels[label] === value;
  }
  const parts = filters.map(matcherOf);
  if (op === 'AND') return (labels) => parts.every((part) => part(labels));
  if (op === 'OR') return (labels) => parts.some((part) => part(labels));
  throw invalid(`the filter ${String(op)} is not supported`);
}

function labelOf(field: unknown): string {
  const label = LABELS[String(field)];
  if (label === undefined) throw invalid(`the field ${String(field)} does not exist`);
  return label;
}

function invalid(detail: string): Refusal {
  return new Refusal(400, 'invalid_query', detail);
}
