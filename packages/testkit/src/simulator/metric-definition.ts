import type { Window } from '@chargeback/plugin-api';

/** The labels of a series, without the metric's name. */
export type Labels = Readonly<Record<string, string>>;

/** One series. What it shows at an instant stands for the time before that instant. */
export interface SeriesDefinition {
  readonly labels: Labels;
  /**
   * The value in the hour that begins `hour` whole hours after 1970-01-01T00:00Z. Counter: the increase in that
   * hour, a whole number of at least 0, spread evenly over the hour. Gauge: the value throughout that hour.
   * Must depend on `hour` alone: it is called any number of times, in any order.
   */
  readonly at: (hour: number) => number;
  /** First instant at which the series exists; default: the start of the model. */
  readonly starts?: Date;
  /** Last instant at which the series exists; default: the end of the model. */
  readonly ends?: Date;
  /** Spans in which the series shows NaN. */
  readonly notANumber?: readonly Window[];
}

export interface MetricDefinition {
  readonly name: string;
  readonly kind: 'counter' | 'gauge';
  readonly series: readonly SeriesDefinition[];
}
