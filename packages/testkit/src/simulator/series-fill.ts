import { MILLISECONDS_PER_HOUR } from '@chargeback/plugin-api';
import type { Column, Grid } from './query-plan.ts';
import type { RangeOperator } from './query-syntax.ts';
import { createReduction } from './reduction.ts';
import { hourShownAt, increaseBetween, type SeriesTimeline, type Span } from './series-timeline.ts';

type Fill = (grid: Grid, column: Column) => void;

/** The increase over the `range` milliseconds before each instant; per second when `perSecond`. */
export function fillIncrease(series: SeriesTimeline, range: number, perSecond: boolean): Fill {
  const { at } = series.definition;
  return (grid, { values, present }) => {
    present.fill(0);
    const hourly = range === MILLISECONDS_PER_HOUR && isWhole(grid.start) && isWhole(grid.step);
    for (const { from, to } of series.recorded) {
      for (let index = firstAfter(grid, from); index < grid.count; index += 1) {
        const instant = grid.start + index * grid.step;
        const begin = instant - range;
        if (begin >= to) break;
        const increase =
          hourly && begin >= from && instant <= to
            ? at(begin / MILLISECONDS_PER_HOUR)
            : increaseBetween(at, Math.max(begin, from), Math.min(instant, to));
        values[index] = present[index] === 1 ? values[index]! + increase : increase;
        present[index] = 1;
      }
    }
    if (perSecond) for (let index = 0; index < grid.count; index += 1) values[index]! /= range / 1000;
    blotOut(series.notANumber, { grid, range }, values);
  };
}

/** The value that is current at each instant. */
export function fillInstant(series: SeriesTimeline): Fill {
  const { at } = series.definition;
  return (grid, { values, present }) => {
    present.fill(0);
    for (const { from, to } of series.recorded) {
      let counted = 0;
      let countedTo = series.begins;
      for (let index = firstAfter(grid, from); index < grid.count; index += 1) {
        const instant = grid.start + index * grid.step;
        if (instant > to) break;
        if (series.kind === 'counter') {
          counted += increaseBetween(at, countedTo, instant);
          countedTo = instant;
          values[index] = counted;
        } else {
          values[index] = at(hourShownAt(instant));
        }
        present[index] = 1;
      }
    }
    blotOut(series.notANumber, { grid, range: 0 }, values);
  };
}

/** Where a counter stood when it was last recorded within the `range` milliseconds before each instant. */
export function fillLastOfCounter(series: SeriesTimeline, range: number): Fill {
  const { at } = series.definition;
  return (grid, { values, present }) => {
    present.fill(0);
    let counted = 0;
    let countedTo = series.begins;
    for (let index = 0; index < grid.count; index += 1) {
      const instant = grid.start + index * grid.step;
      const span = series.recorded.findLast(({ from, to }) => from < instant && to > instant - range);
      if (!span) continue;
      const seenAt = Math.min(span.to, instant);
      counted += increaseBetween(at, countedTo, seenAt);
      countedTo = seenAt;
      values[index] = counted;
      present[index] = 1;
    }
    blotOut(series.notANumber, { grid, range: 0 }, values);
  };
}

export interface OverTimeOptions {
  readonly operator: RangeOperator;
  readonly range: number;
  /** Milliseconds between stored samples. */
  readonly spacing: number;
  /** Whether a sample exactly `range` before the instant counts, as in Prometheus 2. */
  readonly closed: boolean;
}

/** `sum_over_time` and its kin over the stored samples of a gauge. */
export function fillOverTime(series: SeriesTimeline, options: OverTimeOptions): Fill {
  const { operator, range, spacing, closed } = options;
  if (operator === 'count') return fillCount(series, options);
  const general = fillAnyOverTime(series, options);
  // Also a range of a little less: it counts the same samples.
  const isHour =
    range > MILLISECONDS_PER_HOUR - spacing &&
    (closed ? range < MILLISECONDS_PER_HOUR : range <= MILLISECONDS_PER_HOUR);
  if (operator !== 'sum' || !isHour || series.notANumber.length > 0) return general;
  const hourly = fillHourlySum(series, MILLISECONDS_PER_HOUR / spacing);
  return (grid, column) => {
    const whole = isWhole(grid.start) && isWhole(grid.step) && series.recorded.every(isWholeSpan);
    (whole ? hourly : general)(grid, column);
  };
}

/** What benchmarks ask for by the million: the sum over each whole hour. */
function fillHourlySum({ definition, recorded }: SeriesTimeline, samplesPerHour: number): Fill {
  const { at } = definition;
  return (grid, { values, present }) => {
    present.fill(0);
    for (const { from, to } of recorded) {
      for (let index = firstAfter(grid, from); index < grid.count; index += 1) {
        const instant = grid.start + index * grid.step;
        if (instant > to) break;
        values[index] = at(instant / MILLISECONDS_PER_HOUR - 1) * samplesPerHour;
        present[index] = 1;
      }
    }
  };
}

/** How many samples were stored, whatever they say: asked for in short ranges over months. */
function fillCount({ recorded }: SeriesTimeline, { range, spacing, closed }: OverTimeOptions): Fill {
  return (grid, { values, present }) => {
    values.fill(0);
    for (const { from, to } of recorded) {
      for (let index = firstAfter(grid, from); index < grid.count; index += 1) {
        const instant = grid.start + index * grid.step;
        const begin = instant - range;
        if (begin > to) break;
        const before = Math.floor(Math.max(begin, from) / spacing);
        const edge = closed && begin > from && begin % spacing === 0 ? 1 : 0;
        values[index]! += Math.max(0, Math.floor(Math.min(instant, to) / spacing) - before + edge);
      }
    }
    for (let index = 0; index < grid.count; index += 1) present[index] = values[index]! > 0 ? 1 : 0;
  };
}

function fillAnyOverTime(series: SeriesTimeline, options: OverTimeOptions): Fill {
  const { at } = series.definition;
  const { operator, range, spacing, closed } = options;
  return (grid, { values, present }) => {
    for (let index = 0; index < grid.count; index += 1) {
      const instant = grid.start + index * grid.step;
      const reduction = createReduction();
      for (const { from, to } of series.recorded) {
        const begin = instant - range;
        let sample = Math.floor(Math.max(begin, from) / spacing) + 1;
        if (closed && begin > from && begin % spacing === 0) sample -= 1;
        const last = Math.floor(Math.min(instant, to) / spacing);
        while (sample <= last) {
          const hour = hourShownAt(sample * spacing);
          const lastOfHour = Math.min(last, Math.floor(((hour + 1) * MILLISECONDS_PER_HOUR) / spacing));
          reduction.add(at(hour), lastOfHour - sample + 1);
          sample = lastOfHour + 1;
        }
      }
      present[index] = reduction.count > 0 ? 1 : 0;
      values[index] = reduction.result(operator);
    }
    if (operator !== 'present') {
      blotOut(series.notANumber, { grid, range }, values);
    }
  };
}

function isWholeSpan({ from, to }: Span): boolean {
  return isWhole(from) && isWhole(to);
}

function isWhole(milliseconds: number): boolean {
  return milliseconds % MILLISECONDS_PER_HOUR === 0;
}

/** Index of the first instant later than `from`. */
function firstAfter(grid: Grid, from: number): number {
  return Math.max(0, Math.floor((from - grid.start) / grid.step) + 1);
}

/** NaN wherever (instant − range, instant], or the instant itself, touches one of the spans. */
function blotOut(
  spans: readonly Span[],
  { grid, range }: { grid: Grid; range: number },
  values: Float64Array,
): void {
  for (const { from, to } of spans) {
    for (let index = firstAfter(grid, from); index < grid.count; index += 1) {
      const instant = grid.start + index * grid.step;
      if (range === 0 ? instant > to : instant - range >= to) break;
      values[index] = Number.NaN;
    }
  }
}
