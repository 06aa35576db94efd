import {
  ChargebackError,
  type IsoDate,
  MILLISECONDS_PER_DAY,
  startOfDay,
  type Window,
} from '@chargeback/plugin-api';

export interface DateRange {
  readonly from?: IsoDate;
  readonly to?: IsoDate;
}

interface Lookback {
  readonly lookback_days: number;
  readonly cutoff_days: number;
}

/**
 * The days a run looks at: from `lookback_days` ago up to, not including, `cutoff_days` ago, in whole UTC
 * days. `--from` and `--to` (the last day, included) override either end.
 */
export function runWindow({ lookback_days, cutoff_days }: Lookback, range: DateRange, now: Date): Window {
  const today = Math.floor(now.getTime() / MILLISECONDS_PER_DAY) * MILLISECONDS_PER_DAY;
  const start = range.from ? startOfDay(range.from) : new Date(today - lookback_days * MILLISECONDS_PER_DAY);
  const end = range.to
    ? new Date(startOfDay(range.to).getTime() + MILLISECONDS_PER_DAY)
    : new Date(today - cutoff_days * MILLISECONDS_PER_DAY);
  if (end <= start) {
    throw new ChargebackError(
      'CB_CONFIG_VALUE',
      `the range ends before it begins: ${start.toISOString().slice(0, 10)} to ${range.to ?? 'the cutoff'}`,
      {
        fix: 'Give --from and --to as days, the earlier first.',
      },
    );
  }
  if (end.getTime() > today) {
    const last = new Date(today - MILLISECONDS_PER_DAY).toISOString().slice(0, 10);
    throw new ChargebackError('CB_CONFIG_VALUE', 'the range reaches beyond the last day that is over', {
      fix: `Give --to as ${last} or earlier.`,
    });
  }
  return { start, end };
}

/** @throws {ChargebackError} `CB_CONFIG_VALUE` unless the text is a day of the calendar, `2026-02-01`. */
export function parseDay(text: string): IsoDate {
  const valid = /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(startOfDay(text).getTime());
  if (!valid || startOfDay(text).toISOString().slice(0, 10) !== text) {
    throw new ChargebackError('CB_CONFIG_VALUE', `not a day: ${JSON.stringify(text)}`, {
      fix: 'Write YYYY-MM-DD.',
    });
  }
  return text;
}
