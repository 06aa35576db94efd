import {
  type BillingLineItem,
  ChargebackError,
  MILLISECONDS_PER_HOUR,
  type Window,
} from '@chargeback/plugin-api';

const BUILT_IN_HOURS: Readonly<Record<string, number>> = { hourly: 1, daily: 24 };

/**
 * The billed window of a line: one hour, 24 hours, the calendar month of its timestamp, or the whole hours
 * that `granularity_durations` gives its name.
 * @throws {ChargebackError} `CB_GRANULARITY_UNKNOWN`.
 */
export function lineWindow(line: BillingLineItem, durations: Readonly<Record<string, number>>): Window {
  const start = line.timestamp;
  if (line.granularity === 'monthly' && !Object.hasOwn(durations, 'monthly')) {
    const month = Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), 1);
    const next = Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1);
    return { start, end: new Date(start.getTime() + (next - month)) };
  }
  const hours = Object.hasOwn(durations, line.granularity)
    ? durations[line.granularity]
    : BUILT_IN_HOURS[line.granularity];
  if (hours === undefined) {
    throw new ChargebackError(
      'CB_GRANULARITY_UNKNOWN',
      `line ${line.lineId} has the unknown granularity ${JSON.stringify(line.granularity)}`,
    );
  }
  return { start, end: new Date(start.getTime() + hours * MILLISECONDS_PER_HOUR) };
}
