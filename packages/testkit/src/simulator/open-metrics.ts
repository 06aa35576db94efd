import type { Window } from '@chargeback/plugin-api';
import type { Labels } from './metric-definition.ts';
import type { MetricsModel } from './metrics-model.ts';
import { hourShownAt, increaseBetween, type SeriesTimeline, timelinesOf } from './series-timeline.ts';

export interface OpenMetricsOptions {
  /** Seconds between samples; they stand at its multiples since 1970. Default: 300. */
  readonly stepSeconds?: number;
}

/**
 * What the model holds in the window, both ends included, as OpenMetrics text that
 * `promtool tsdb create-blocks-from openmetrics` reads. Counters stand at 0 where their series begins and also
 * count on during outages, when nobody looks: there a real server can know more than the simulator tells.
 */
export function toOpenMetrics(model: MetricsModel, window: Window, options: OpenMetricsOptions = {}): string {
  const step = (options.stepSeconds ?? 300) * 1000;
  const lines: string[] = [];
  const timelines = Map.groupBy(timelinesOf(model), ({ name }) => name);
  for (const { name, kind } of model.metrics) {
    // OpenMetrics wants the samples of a counter to be called like the family plus `_total`.
    const counter = kind === 'counter' && name.endsWith('_total');
    const type = counter ? 'counter' : kind === 'gauge' ? 'gauge' : 'unknown';
    lines.push(`# TYPE ${counter ? name.slice(0, -'_total'.length) : name} ${type}`);
    for (const series of timelines.get(name) ?? []) pushSamples(lines, series, { window, step });
  }
  lines.push('# EOF', '');
  return lines.join('\n');
}

function pushSamples(
  lines: string[],
  series: SeriesTimeline,
  { window, step }: { window: Window; step: number },
): void {
  const head = `${series.name}${labelText(series.definition.labels)}`;
  const { at } = series.definition;
  let counted = 0;
  let countedTo = series.begins;
  for (const { from, to } of series.recorded) {
    const begin = Math.max(from, window.start.getTime());
    const end = Math.min(to, window.end.getTime());
    for (let instant = Math.ceil(begin / step) * step; instant <= end; instant += step) {
      if (instant === from && from !== series.begins) continue;
      if (series.kind === 'counter') {
        counted += increaseBetween(at, countedTo, instant);
        countedTo = instant;
      } else if (instant === from) continue;
      const value = series.kind === 'counter' ? counted : at(hourShownAt(instant));
      const broken = series.notANumber.some((span) => instant > span.from && instant <= span.to);
      lines.push(`${head} ${broken ? 'NaN' : value} ${instant / 1000}`);
    }
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
