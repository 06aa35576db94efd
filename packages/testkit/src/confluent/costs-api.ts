import { isoDateOf, MILLISECONDS_PER_DAY } from '@chargeback/plugin-api';
import { type ConfluentRequest, type ListingAnswer, Refusal } from './api-answer.ts';
import { costsVisibleAt } from './daily-costs.ts';
import type { SimulatedCost } from './simulated-cost.ts';
import type { ConfluentOrganization } from './organization.ts';

/** `GET /billing/v1/costs`, with the limits of the vendor: a month a request, a year back. */
export function createCostsListing(
  organization: ConfluentOrganization,
): (request: ConfluentRequest, now: Date) => ListingAnswer {
  // The pages of one listing are asked for one after another.
  let last: { key: string; rows: readonly SimulatedCost[] } | null = null;
  return ({ query }, now) => {
    const start = dateOf('start_date', query['start_date']);
    const end = dateOf('end_date', query['end_date']);
    if (start >= end) throw new Refusal(400, 'invalid_date_range', 'end_date must be after start_date');
    if (end > monthAfter(start)) {
      throw new Refusal(400, 'invalid_date_range', 'the dates must not be more than 1 month apart');
    }
    if (start < yearBefore(now)) {
      throw new Refusal(400, 'invalid_date_range', 'start_date must not be more than 1 year ago');
    }
    const key = `${start.getTime()}/${end.getTime()}/${now.getTime()}`;
    if (last?.key !== key) {
      last = { key, rows: costsVisibleAt(organization, { start, end }, now) };
    }
    const { rows } = last;
    return {
      length: rows.length,
      textAt: (index) => rows[index]!.json,
      defaultPageSize: 5000,
      largestPageSize: 10_000,
    };
  };
}

function dateOf(name: string, text: string | undefined): Date {
  if (text === undefined) throw new Refusal(400, 'invalid_parameter', `${name} is required`);
  const date = new Date(`${text}T00:00:00.000Z`);
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(date.getTime()) && isoDateOf(date) === text)
    return date;
  throw new Refusal(400, 'invalid_parameter', `${name} must have the form yyyy-mm-dd`);
}

/** The same day of the next month, or its last day. */
function monthAfter(day: Date): Date {
  const [year, month] = [day.getUTCFullYear(), day.getUTCMonth()];
  const daysThere = new Date(Date.UTC(year, month + 2, 0)).getUTCDate();
  return new Date(Date.UTC(year, month + 1, Math.min(day.getUTCDate(), daysThere)));
}

function yearBefore(now: Date): Date {
  const today = Math.floor(now.getTime() / MILLISECONDS_PER_DAY) * MILLISECONDS_PER_DAY;
  const date = new Date(today);
  return new Date(Date.UTC(date.getUTCFullYear() - 1, date.getUTCMonth(), date.getUTCDate()));
}
