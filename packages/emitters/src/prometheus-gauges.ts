import { compareKeys } from '@chargeback/money';
import { type IsoDate, startOfDay } from '@chargeback/plugin-api';
import { addPeriod, type PeriodFile, type SampleLength } from './prometheus-periods.ts';
import { labelValue, sampleLines, type SeriesSums } from './prometheus-text.ts';

export interface GaugesOptions {
  readonly metricPrefix: string;
  readonly tenantId: string;
  readonly ecosystem: string;
  readonly length: SampleLength;
}

/**
 * The gauges of now in the Prometheus text format, in pieces: the last day that has costs, and its month so far. They
 * do not ask for the time: what is shown is what was billed last, and gauges say which day and month that is. The
 * same files give the same text.
 */
export async function* gaugesText(
  files: readonly PeriodFile[],
  options: GaugesOptions,
): AsyncGenerator<string> {
  const last = await lastWithCosts(files);
  if (!last) return;
  const { metricPrefix, length } = options;
  const month = last.date.slice(0, 7);
  const ofMonth = files.filter(({ date }) => date.startsWith(month));
  const sums: SeriesSums = new Map();
  for (const file of ofMonth) await addPeriod(sums, file);
  const help = 'Cost of the last month that has costs, as far as it is billed.';
  yield* costLines(`${metricPrefix}_month_to_date_cost`, help, sums);
  yield single(options, {
    name: 'month_to_date_timestamp_seconds',
    help: 'Beginning of the month that month_to_date shows.',
    value: secondsOf(`${month}-01`),
  });
  if (length === 'month') return;
  yield single(options, {
    name: 'month_to_date_periods',
    help: 'Days that month_to_date adds up.',
    value: ofMonth.length,
  });
  yield* costLines(`${metricPrefix}_last_day_cost`, 'Cost of the last day that has costs.', last.sums);
  yield single(options, {
    name: 'last_day_timestamp_seconds',
    help: 'Beginning of the day that last_day shows.',
    value: secondsOf(last.date),
  });
}

/** Series in code-unit order. */
function* costLines(metric: string, help: string, sums: SeriesSums): Generator<string> {
  yield header(metric, help);
  yield* sampleLines(
    metric,
    [...sums].toSorted(([left], [right]) => compareKeys(left, right)),
  );
}

interface Single {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

function single({ metricPrefix, tenantId, ecosystem }: GaugesOptions, { name, help, value }: Single): string {
  const metric = `${metricPrefix}_${name}`;
  const labels = `{tenant_id=${labelValue(tenantId)},ecosystem=${labelValue(ecosystem)}}`;
  return `${header(metric, help)}${metric}${labels} ${value}\n`;
}

function header(metric: string, help: string): string {
  return `# HELP ${metric} ${help}\n# TYPE ${metric} gauge\n`;
}

interface LastPeriod {
  readonly date: IsoDate;
  readonly sums: SeriesSums;
}

async function lastWithCosts(files: readonly PeriodFile[]): Promise<LastPeriod | undefined> {
  for (const file of files.toReversed()) {
    const sums: SeriesSums = new Map();
    await addPeriod(sums, file);
    if (sums.size > 0) return { date: file.date, sums };
  }
  return undefined;
}

function secondsOf(date: IsoDate): number {
  return startOfDay(date).getTime() / 1000;
}
