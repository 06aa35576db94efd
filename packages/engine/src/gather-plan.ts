import { dayWindow, daysOf, type IsoDate, isoDateOf } from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import type { TenantContext } from './tenant-context.ts';

/** Days asked for in one go: bounds what is held in memory between source and database. */
const SPAN_DAYS = 31;
/** Days that nothing is known of are asked for in shorter spans, so that there soon is something to calculate. */
const FIRST_SPAN_DAYS = 7;
const NEW_SPAN_DAYS = 15;

export interface SpanWalkOptions {
  /** The source was too slow lately. */
  readonly careful: boolean;
  /** Whether inputs of a day are stored. */
  readonly isKnown: (date: IsoDate) => boolean;
}

/**
 * The days to ask the source for. First those that were never gathered or under other settings. Then those asked
 * again, beginning after the day that was gathered last: a gather that was cut off goes on there. Last the days that
 * hung when they were asked before. So no day waits for ever.
 */
export function daysToGather(
  context: TenantContext,
  states: ReadonlyMap<IsoDate, DateState>,
  hung: ReadonlySet<IsoDate>,
): readonly IsoDate[] {
  const unknown: IsoDate[] = [];
  const again: IsoDate[] = [];
  for (const date of daysOf(context.window)) {
    const state = states.get(date);
    if (state?.gatherFingerprint !== context.gatherFingerprint) unknown.push(date);
    else if (needsGathering(context, state)) again.push(date);
  }
  const last = latestGathered(states);
  const begin = last === null ? 0 : again.findIndex((date) => date > last);
  const all = [...unknown, ...again.slice(Math.max(begin, 0)), ...again.slice(0, Math.max(begin, 0))];
  return [...all.filter((date) => !hung.has(date)), ...all.filter((date) => hung.has(date))];
}

function needsGathering(context: TenantContext, state: DateState): boolean {
  if (context.regather || !state.complete) return true;
  if (context.ecosystem.regather === 'until_complete') return false;
  const age = context.clock().getTime() - state.gatheredAt.getTime();
  return age < 0 || age >= context.settings.min_refresh_gap_seconds * 1000;
}

/** Days are gathered in order, so of those with one instant the last one counts. */
function latestGathered(states: ReadonlyMap<IsoDate, DateState>): IsoDate | null {
  let latest: DateState | null = null;
  for (const state of states.values()) {
    if (latest === null || state.gatheredAt >= latest.gatheredAt) latest = state;
  }
  return latest?.date ?? null;
}

/**
 * Cuts days into spans of consecutive ones. Where a run was too slow lately, spans begin with one day and double: so
 * much as the source answers in the time there is.
 */
export class SpanWalk {
  readonly #dates: readonly IsoDate[];
  readonly #isKnown: (date: IsoDate) => boolean;
  #at = 0;
  #most: number;

  constructor(dates: readonly IsoDate[], { careful, isKnown }: SpanWalkOptions) {
    this.#dates = dates;
    this.#isKnown = isKnown;
    this.#most = careful ? 1 : dates[0] !== undefined && isKnown(dates[0]) ? SPAN_DAYS : FIRST_SPAN_DAYS;
  }

  /** Days to walk. */
  get length(): number {
    return this.#dates.length;
  }

  /** Empty at the end. */
  current(): readonly IsoDate[] {
    let end = this.#at + 1;
    const first = this.#dates[this.#at];
    const longest = first === undefined || this.#isKnown(first) ? SPAN_DAYS : NEW_SPAN_DAYS;
    const limit = Math.min(this.#at + Math.min(this.#most, longest), this.#dates.length);
    while (end < limit && isoDateOf(dayWindow(this.#dates[end - 1]!).end) === this.#dates[end]) end += 1;
    return this.#dates.slice(this.#at, end);
  }

  /** To be called when the current span is done with. */
  advance({ hung }: { readonly hung: boolean }): void {
    this.#at += this.current().length;
    this.#most = hung ? 1 : Math.min(this.#most * 2, SPAN_DAYS);
  }

  /** The current span was too much: a smaller one begins where it began. */
  shrink(): void {
    this.#most = Math.max(1, Math.floor(this.current().length / 4));
  }
}
