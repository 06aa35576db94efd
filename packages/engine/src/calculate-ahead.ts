import { setImmediate } from 'node:timers/promises';
import { type BillingLineItem, dayWindow, type IsoDate } from '@chargeback/plugin-api';
import {
  type Calculated,
  calculateStored,
  type DaySummary,
  saveCalculated,
  summaryOf,
  timelineOf,
} from './calculate-stored.ts';
import { lineWindow } from './line-window.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import type { TenantContext } from './tenant-context.ts';

/** What was calculated ahead of its stage, by day. */
export type CalculatedAhead = ReadonlyMap<IsoDate, DaySummary>;

/**
 * Calculates days that never were, while others are still being gathered: those that come to rows at once, without a
 * held or failing line and without a look beyond the day. Whatever else there is to them is left to the stage
 * itself, which also sees when something that was gathered later changes them.
 */
export async function calculateAhead(
  context: TenantContext,
  dates: readonly IsoDate[],
): Promise<CalculatedAhead> {
  const ahead = new Map<IsoDate, DaySummary>();
  if (dates.length === 0 || context.recalculate) return ahead;
  const window = { start: dayWindow(dates[0]!).start, end: dayWindow(dates.at(-1)!).end };
  const asked = new Set(dates);
  const states = await context.store.dateStates(window);
  const fresh = states.filter(({ date, calculationId }) => asked.has(date) && calculationId === null);
  if (fresh.length === 0) return ahead;
  const timeline = await timelineOf(context);
  for (const state of fresh) {
    await setImmediate();
    context.signal.throwIfAborted();
    try {
      const calculated = await calculateStored(context, state, timeline);
      if (calculated === null || !isPlain(context, calculated)) continue;
      await saveCalculated(context, state, calculated);
      ahead.set(state.date, summaryOf(calculated.result));
    } catch (cause) {
      // Told of when it is calculated in its turn.
      rethrowFatal(context, cause);
    }
  }
  return ahead;
}

function isPlain({ settings }: TenantContext, { day, result }: Calculated): boolean {
  const { start, end } = dayWindow(day.date);
  const isInside = (line: BillingLineItem): boolean => {
    const window = lineWindow(line, settings.granularity_durations);
    return window.start >= start && window.end <= end;
  };
  return (
    result.lines.every(({ state, attempts }) => state === 'allocated' && attempts === 0) &&
    day.lines.every(isInside)
  );
}
