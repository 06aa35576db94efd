import { compareKeys } from '@chargeback/money';
import {
  ChargebackError,
  type IsoDate,
  MILLISECONDS_PER_HOUR,
  UNALLOCATED,
  type UsageTotals,
  type Window,
} from '@chargeback/plugin-api';
import { isJsonObject, type JsonObject, type JsonValue } from '../http/parse-json.ts';
import { MOST_POINTS } from './truncation.ts';
import type { UsageMetric } from './usage-metrics.ts';

/** A measure and which of its metrics to ask for. */
export interface AskedMetric {
  readonly metric: UsageMetric;
  readonly apiName: string;
}

export interface AskedHours {
  readonly date: IsoDate;
  /** Whole hours of the day. */
  readonly hours: Window;
  readonly signal: AbortSignal;
}

/** Totals of the hours asked for, and what was odd about the points. */
export interface AnsweredHours {
  readonly totals: UsageTotals;
  /** Hours with a point that is no usable number. */
  readonly badHours: ReadonlySet<number>;
  readonly badPoints: number;
  readonly example: string | null;
  /** Points that name no identity or no resource, by the field that they lack. */
  readonly nameless: ReadonlyMap<string, number>;
  /** Points of the answer that ended the listing, or of the listing where it stops at the vendor's limit. */
  readonly truncatedAt: number | null;
}

/** Adds points up per resource and identity. */
export class HourSums {
  readonly #asked: AskedMetric;
  readonly #hours: Window;
  readonly #sums = new Map<string, Map<string, number>>();
  readonly #badHours = new Set<number>();
  #badPoints = 0;
  #example: string | null = null;
  #points = 0;
  #named = 0;
  readonly #nameless = new Map<string, number>();

  constructor(asked: AskedMetric, hours: Window) {
    this.#asked = asked;
    this.#hours = hours;
  }

  /** Takes a page in either of the two shapes that the API answers in and returns how many points it held. */
  add(data: JsonValue | undefined): number {
    if (data !== null && !Array.isArray(data)) throw this.#unusable('it has no list "data"');
    const { resourceField, identityField } = this.#asked.metric;
    const before = this.#points;
    for (const item of data ?? []) {
      if (!isJsonObject(item)) throw this.#unusable('an item of "data" is not an object');
      const resourceId = labelOf(item, resourceField);
      const identityId = labelOf(item, identityField);
      const points = Array.isArray(item['points']) ? item['points'] : [item];
      for (const point of points) {
        if (!isJsonObject(point)) throw this.#unusable('a point is not an object');
        this.#addPoint(point, resourceId ?? UNALLOCATED, identityId ?? UNALLOCATED);
      }
      const missing = resourceId === null ? resourceField : identityId === null ? identityField : null;
      if (missing === null) this.#named += points.length;
      else this.#nameless.set(missing, (this.#nameless.get(missing) ?? 0) + points.length);
    }
    return this.#points - before;
  }

  answered(lastPage: number): AnsweredHours {
    if (this.#nameless.size > 0 && this.#named === 0) throw this.#namesNobody();
    const truncated = lastPage >= MOST_POINTS || this.#points === MOST_POINTS;
    return {
      totals: this.#totals(),
      badHours: this.#badHours,
      badPoints: this.#badPoints,
      example: this.#example,
      nameless: this.#nameless,
      truncatedAt: truncated ? this.#points : null,
    };
  }

  #addPoint(point: JsonObject, resourceId: string, identityId: string): void {
    this.#points += 1;
    const hour = this.#hourOf(point['timestamp']);
    const value = numberOf(point['value']);
    if (!Number.isFinite(value) || value < 0) {
      this.#badHours.add(hour);
      this.#badPoints += 1;
      this.#example ??= `${String(point['value'])} of ${identityId} on ${resourceId}`;
      return;
    }
    let ofResource = this.#sums.get(resourceId);
    if (!ofResource) this.#sums.set(resourceId, (ofResource = new Map()));
    ofResource.set(identityId, (ofResource.get(identityId) ?? 0) + value);
  }

  #hourOf(timestamp: JsonValue | undefined): number {
    const time = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN;
    const { start, end } = this.#hours;
    if (!(time >= start.getTime() && time < end.getTime())) {
      throw this.#unusable(`a point lies outside the hours asked for: ${JSON.stringify(timestamp)}`);
    }
    return Math.floor(time / MILLISECONDS_PER_HOUR);
  }

  #namesNobody(): ChargebackError {
    const fields = [...this.#nameless.keys()].join(' and ');
    const message = `no point of ${this.#asked.apiName} names its ${fields}`;
    const fix = 'Nothing to configure: run again, and ask Confluent if it stays.';
    return new ChargebackError('CB_METRICS_LABEL', message, { fix });
  }

  #totals(): UsageTotals {
    const resourceIds: string[] = [];
    const identityIds: string[] = [];
    const values: number[] = [];
    for (const [resourceId, sums] of [...this.#sums].toSorted(([left], [right]) =>
      compareKeys(left, right),
    )) {
      for (const [identityId, value] of [...sums].toSorted(([left], [right]) => compareKeys(left, right))) {
        resourceIds.push(resourceId);
        identityIds.push(identityId);
        values.push(value);
      }
    }
    return { resourceIds, identityIds, values };
  }

  #unusable(what: string): ChargebackError {
    return new ChargebackError(
      'CB_SOURCE_ANSWER',
      `the Metrics API's answer on ${this.#asked.apiName} cannot be understood: ${what}`,
    );
  }
}

function labelOf(item: JsonObject, field: string): string | null {
  const value = item[field];
  return typeof value === 'string' && value !== '' ? value : null;
}

function numberOf(value: JsonValue | undefined): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
}
