import { MILLISECONDS_PER_HOUR, type Window } from '@chargeback/plugin-api';
import type { MetricDefinition, SeriesDefinition } from './metric-definition.ts';
import type { MetricsModel } from './metrics-model.ts';

/** A span of time in milliseconds since 1970, `from` exclusive and `to` inclusive. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A series with the spans in which samples of it were recorded. */
export interface SeriesTimeline {
  readonly name: string;
  readonly kind: MetricDefinition['kind'];
  readonly definition: SeriesDefinition;
  /** Ascending, not overlapping. */
  readonly recorded: readonly Span[];
  readonly notANumber: readonly Span[];
  /** First instant at which the series exists, where a counter stands at 0. */
  readonly begins: number;
}

/** Every series of the model on its time line, sorted by nothing. */
export function timelinesOf(model: MetricsModel): SeriesTimeline[] {
  const outages = model.outages.map(spanOf).toSorted((left, right) => left.from - right.from);
  return model.metrics.flatMap(({ name, kind, series }) =>
    series.map((definition) => {
      const whole = {
        from: Math.max(model.window.start.getTime(), definition.starts?.getTime() ?? -Infinity),
        to: Math.min(model.window.end.getTime(), definition.ends?.getTime() ?? Infinity),
      };
      return {
        name,
        kind,
        definition,
        recorded: without(whole, outages),
        notANumber: (definition.notANumber ?? []).map(spanOf),
        begins: whole.from,
      };
    }),
  );
}

/**
 * What a counter gained in (from, to]: whole numbers whatever the boundaries, and adjacent spans add up exactly,
 * because the increase of an hour is spread by rounding its running total.
 */
export function increaseBetween(at: (hour: number) => number, from: number, to: number): number {
  let hour = Math.floor(from / MILLISECONDS_PER_HOUR);
  const last = Math.floor(to / MILLISECONDS_PER_HOUR);
  const head = from - hour * MILLISECONDS_PER_HOUR;
  const tail = to - last * MILLISECONDS_PER_HOUR;
  let total = 0;
  if (head > 0) total -= Math.round((at(hour) * head) / MILLISECONDS_PER_HOUR);
  for (; hour < last; hour += 1) total += at(hour);
  if (tail > 0) total += Math.round((at(last) * tail) / MILLISECONDS_PER_HOUR);
  return total;
}

/** The hour that an instant shows: the one that ends with it when it is an hour's end. */
export function hourShownAt(instant: number): number {
  return Math.ceil(instant / MILLISECONDS_PER_HOUR) - 1;
}

function spanOf(window: Window): Span {
  return { from: window.start.getTime(), to: window.end.getTime() };
}

function without(whole: Span, gaps: readonly Span[]): Span[] {
  const spans: Span[] = [];
  let from = whole.from;
  for (const gap of gaps) {
    if (gap.to <= from || gap.from >= whole.to) continue;
    if (gap.from > from) spans.push({ from, to: gap.from });
    from = gap.to;
  }
  if (from < whole.to) spans.push({ from, to: whole.to });
  return spans;
}
