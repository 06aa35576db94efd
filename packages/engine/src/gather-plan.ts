import { dayWindow, daysOf, type IsoDate, isoDateOf } from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import type { TenantContext } from './tenant-context.ts';

/** Days asked for in one go: bounds what is held in memory between source and database. */
const SPAN_DAYS = 31;

/**
 * The days to ask the source for, as runs of consecutive days, none longer than {@link SPAN_DAYS}. First those
 * that were never gathered or under other settings. Then those asked again, beginning after the day that was
 * gathered last: a gather that was cut off goes on there, so that no day waits for ever.
 */
export function spansToGather(
  context: TenantContext,
  states: ReadonlyMap<IsoDate, DateState>,
): readonly (readonly IsoDate[])[] {
  const unknown: IsoDate[] = [];
  const again: IsoDate[] = [];
  for (const date of daysOf(context.window)) {
    const state = states.get(date);
    if (state?.gatherFingerprint !== context.gatherFingerprint) unknown.push(date);
    else if (needsGathering(context, state)) again.push(date);
  }
  const last = latestGathered(states);
  const begin = last === null ? 0 : again.findIndex((date) => date > last);
  const rotated = begin <= 0 ? again : [...again.slice(begin), ...again.slice(0, begin)];
  return [...spansOf(unknown), ...spansOf(rotated)];
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

function spansOf(dates: readonly IsoDate[]): IsoDate[][] {
  const spans: IsoDate[][] = [];
  for (const date of dates) {
    const current = spans.at(-1);
    const last = current?.at(-1);
    if (current && last && current.length < SPAN_DAYS && isoDateOf(dayWindow(last).end) === date)
      current.push(date);
    else spans.push([date]);
  }
  return spans;
}
