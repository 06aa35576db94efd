/** One label condition of a selector; the metric's name is the label `__name__`. */
export interface Matcher {
  readonly label: string;
  readonly matches: (value: string) => boolean;
  /** True when a series without the label passes. */
  readonly matchesEmpty: boolean;
}

export type AggregateOperator = 'sum' | 'avg' | 'min' | 'max' | 'count' | 'group';
export type RangeOperator = 'sum' | 'avg' | 'min' | 'max' | 'count' | 'last' | 'present';

export interface Selector {
  readonly type: 'selector';
  readonly matchers: readonly Matcher[];
}

/** `increase(x[1h])` and `rate(x[1h])`. */
export interface CounterCall {
  readonly type: 'counter';
  readonly perSecond: boolean;
  readonly selector: Selector;
  readonly range: number;
}

/** `sum_over_time(x[1h])` and its kin over stored samples. */
export interface OverTime {
  readonly type: 'overTime';
  readonly operator: RangeOperator;
  readonly selector: Selector;
  readonly range: number;
}

/** `sum_over_time((expression)[1d:1h])` and its kin. */
export interface Subquery {
  readonly type: 'subquery';
  readonly operator: RangeOperator;
  readonly expression: Expression;
  readonly range: number;
  readonly step: number;
}

export interface Aggregate {
  readonly type: 'aggregate';
  readonly operator: AggregateOperator;
  readonly by: readonly string[];
  readonly expression: Expression;
}

export type ArithmeticOperator = '*' | '/' | '+' | '>= bool';

/** `expression * 3600`, `expression / 1024`, `expression + 1` and `expression >= bool 0`. */
export interface Arithmetic {
  readonly type: 'arithmetic';
  readonly expression: Expression;
  readonly operator: ArithmeticOperator;
  readonly operand: number;
}

/** `vector(time())`: the instant itself, in unix seconds. */
export interface Time {
  readonly type: 'time';
}

/** `label_replace(expression, "label", "replacement", "source", "pattern")`. */
export interface LabelReplace {
  readonly type: 'labelReplace';
  readonly expression: Expression;
  readonly label: string;
  /** With `$1`, `$2` … for the groups of the pattern. */
  readonly replacement: string;
  readonly source: string;
  /** Matches the whole value. */
  readonly pattern: RegExp;
}

/** A query as the simulator understands it. Durations are milliseconds. */
export type Expression =
  | Selector
  | CounterCall
  | OverTime
  | Subquery
  | Aggregate
  | Arithmetic
  | Time
  | LabelReplace;
