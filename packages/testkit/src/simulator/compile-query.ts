import { fillAggregate } from './aggregate-fill.ts';
import type { Labels } from './metric-definition.ts';
import { labelsKey } from './metrics-model.ts';
import { QueryError } from './query-error.ts';
import type { Column, Grid, PlanSeries } from './query-plan.ts';
import type {
  Aggregate,
  Arithmetic,
  ArithmeticOperator,
  Expression,
  LabelReplace,
  Selector,
} from './query-syntax.ts';
import { fillIncrease, fillInstant, fillLastOfCounter, fillOverTime } from './series-fill.ts';
import type { SeriesTimeline } from './series-timeline.ts';
import { fillSubquery } from './subquery-fill.ts';

export interface CompileContext {
  readonly timelines: readonly SeriesTimeline[];
  readonly sampleSeconds: number;
  /** Whether a range includes the instant it begins with, as in Prometheus 2; 3 leaves it out. */
  readonly closedRanges: boolean;
}

/** The series that a query can answer with, each with the means to compute it. Throws {@link QueryError}. */
export function compileQuery(expression: Expression, context: CompileContext): PlanSeries[] {
  switch (expression.type) {
    case 'selector':
      return select(expression, context).map((series) => ({
        labels: { __name__: series.name, ...series.definition.labels },
        evaluate: fillInstant(series),
      }));
    case 'counter':
      return select(expression.selector, context).map((series) => {
        if (series.kind !== 'counter') throw new QueryError(`${series.name} is a gauge in this simulator`);
        return {
          labels: series.definition.labels,
          evaluate: fillIncrease(series, expression.range, expression.perSecond),
        };
      });
    case 'overTime': {
      const spacing = context.sampleSeconds * 1000;
      const { operator, range } = expression;
      return select(expression.selector, context).map((series) => {
        const { labels } = series.definition;
        if (operator === 'last' && series.kind === 'counter') {
          return { labels: { __name__: series.name, ...labels }, evaluate: fillLastOfCounter(series, range) };
        }
        const countsSamples = operator === 'count' || operator === 'present';
        if (series.kind !== 'gauge' && !countsSamples) {
          throw new QueryError(`${series.name} is a counter in this simulator`);
        }
        const evaluate = fillOverTime(series, { operator, range, spacing, closed: context.closedRanges });
        return { labels: operator === 'last' ? { __name__: series.name, ...labels } : labels, evaluate };
      });
    }
    case 'subquery':
      return compileQuery(expression.expression, context).map((series) => ({
        labels: withoutName(series.labels),
        evaluate: fillSubquery(series, expression, context.closedRanges),
      }));
    case 'arithmetic':
      return compileQuery(expression.expression, context).map((series) => calculate(series, expression));
    case 'time':
      return [{ labels: {}, evaluate: fillTime }];
    case 'labelReplace':
      return compileQuery(expression.expression, context).map((series) => relabel(series, expression));
    case 'aggregate':
      return aggregate(expression, compileQuery(expression.expression, context));
  }
}

function select({ matchers }: Selector, { timelines }: CompileContext): SeriesTimeline[] {
  return timelines.filter(({ name, definition }) =>
    matchers.every(({ label, matches }) =>
      matches(label === '__name__' ? name : (definition.labels[label] ?? '')),
    ),
  );
}

function aggregate({ operator, by }: Aggregate, members: readonly PlanSeries[]): PlanSeries[] {
  const groups = new Map<string, { labels: Labels; members: PlanSeries[] }>();
  for (const member of members) {
    const labels = Object.fromEntries(
      by.flatMap((label) => (member.labels[label] ? [[label, member.labels[label]]] : [])),
    );
    const key = labelsKey(labels);
    const group = groups.get(key);
    if (group) group.members.push(member);
    else groups.set(key, { labels, members: [member] });
  }
  return [...groups.values()].map((group) => ({
    labels: group.labels,
    evaluate: fillAggregate(operator, group.members),
  }));
}

const CALCULATE: Readonly<Record<ArithmeticOperator, (left: number, right: number) => number>> = {
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '+': (left, right) => left + right,
  '>= bool': (left, right) => (left >= right ? 1 : 0),
};

function calculate(series: PlanSeries, { operator, operand }: Arithmetic): PlanSeries {
  const calculated = CALCULATE[operator];
  return {
    labels: withoutName(series.labels),
    evaluate(grid, column) {
      series.evaluate(grid, column);
      for (let index = 0; index < grid.count; index += 1) {
        column.values[index] = calculated(column.values[index]!, operand);
      }
    },
  };
}

function relabel(series: PlanSeries, { label, replacement, source, pattern }: LabelReplace): PlanSeries {
  const value = series.labels[source] ?? '';
  if (!pattern.test(value)) return series;
  const { [label]: _old, ...others } = series.labels;
  const now = value.replace(pattern, replacement);
  return { ...series, labels: now === '' ? others : { ...others, [label]: now } };
}

function fillTime(grid: Grid, { values, present }: Column): void {
  present.fill(1);
  for (let index = 0; index < grid.count; index += 1) values[index] = (grid.start + index * grid.step) / 1000;
}

function withoutName(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name !== '__name__'));
}
