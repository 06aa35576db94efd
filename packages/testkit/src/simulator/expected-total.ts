import { MILLISECONDS_PER_HOUR, type Window } from '@chargeback/plugin-api';
import type { Labels, MetricDefinition, SeriesDefinition } from './metric-definition.ts';

/** What the model says about when anything is recorded. */
interface Recording {
  readonly window: Window;
  readonly outages: readonly Window[];
}

/**
 * Adds up a metric hour by hour, straight from its definition. It shares nothing with the evaluation of queries
 * on purpose: each is the check of the other.
 */
export function expectedTotal(
  recording: Recording,
  metric: MetricDefinition,
  { filter, window }: { filter: Labels; window: Window },
): number {
  const wanted = Object.entries(filter);
  let total = 0;
  for (const series of metric.series) {
    if (!wanted.every(([name, value]) => (series.labels[name] ?? '') === value)) continue;
    const firstHour = Math.floor(window.start.getTime() / MILLISECONDS_PER_HOUR);
    const lastHour = Math.ceil(window.end.getTime() / MILLISECONDS_PER_HOUR);
    for (let hour = firstHour; hour < lastHour; hour += 1) {
      if (touchesNaN(series, hour)) continue;
      total +=
        metric.kind === 'counter'
          ? increaseOfHour(recording, series, { hour, window })
          : valueAtHourEnd(recording, series, { hour, window });
    }
  }
  return total;
}

interface HourOfWindow {
  readonly hour: number;
  readonly window: Window;
}

function increaseOfHour(recording: Recording, series: SeriesDefinition, request: HourOfWindow): number {
  const begin = request.hour * MILLISECONDS_PER_HOUR;
  const end = begin + MILLISECONDS_PER_HOUR;
  const cuts = new Set([begin, end]);
  for (const instant of boundaries(recording, series, request.window)) {
    if (instant > begin && instant < end) cuts.add(instant);
  }
  const ordered = [...cuts].toSorted((left, right) => left - right);
  const increase = series.at(request.hour);
  const through = (instant: number): number =>
    Math.round((increase * (instant - begin)) / MILLISECONDS_PER_HOUR);
  let sum = 0;
  for (const [index, from] of ordered.slice(0, -1).entries()) {
    const to = ordered[index + 1]!;
    if (isRecorded(recording, series, to) && within(request.window, to)) sum += through(to) - through(from);
  }
  return sum;
}

function valueAtHourEnd(recording: Recording, series: SeriesDefinition, request: HourOfWindow): number {
  const instant = (request.hour + 1) * MILLISECONDS_PER_HOUR;
  return isRecorded(recording, series, instant) && within(request.window, instant)
    ? series.at(request.hour)
    : 0;
}

function boundaries(recording: Recording, series: SeriesDefinition, window: Window): number[] {
  const spans = [recording.window, ...recording.outages, window];
  return [...spans.flatMap(({ start, end }) => [start, end]), series.starts, series.ends].flatMap((instant) =>
    instant ? [instant.getTime()] : [],
  );
}

function isRecorded(recording: Recording, series: SeriesDefinition, instant: number): boolean {
  return (
    within(recording.window, instant) &&
    !recording.outages.some((outage) => within(outage, instant)) &&
    (!series.starts || instant > series.starts.getTime()) &&
    (!series.ends || instant <= series.ends.getTime())
  );
}

/** An instant stands for the time before it, so a span includes its end and not its start. */
function within(span: Window, instant: number): boolean {
  return instant > span.start.getTime() && instant <= span.end.getTime();
}

function touchesNaN(series: SeriesDefinition, hour: number): boolean {
  const begin = hour * MILLISECONDS_PER_HOUR;
  return (series.notANumber ?? []).some(
    ({ start, end }) => start.getTime() < begin + MILLISECONDS_PER_HOUR && end.getTime() > begin,
  );
}
