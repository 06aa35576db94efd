import { setImmediate } from 'node:timers/promises';
import { type BillingLineItem, dayWindow, type IsoDate } from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import {
  type Calculated,
  calculateStored,
  DAYS_AT_ONCE,
  type DaySummary,
  saveCalculated,
  summaryOf,
  timelineOf,
} from './calculate-stored.ts';
import { inOrder } from './in-order.ts';
import type { InventoryTimeline } from './inventory-timeline.ts';
import { lineWindow } from './line-window.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import type { TenantContext } from './tenant-context.ts';

/** Days that may be calculated for nothing: where most lines are held or fail, each would be so twice. */
const MOST_IN_VAIN = 3;

/**
 * Calculates days that never were, while others are still being gathered: those that come to rows at once, without a
 * held or failing line and without a look beyond the day. Whatever else there is to them is left to the stage
 * itself, which also sees when something that was gathered later changes them.
 */
export class CalculationAhead {
  readonly #context: TenantContext;
  readonly #results = new Map<IsoDate, DaySummary>();
  #inVain = 0;

  constructor(context: TenantContext) {
    this.#context = context;
  }

  /** What was written, by day. */
  get results(): ReadonlyMap<IsoDate, DaySummary> {
    return this.#results;
  }

  /** Consecutive days whose inputs were stored. Throws only what ends a run. */
  async calculate(dates: readonly IsoDate[]): Promise<void> {
    const context = this.#context;
    if (dates.length === 0 || context.recalculate || this.#inVain >= MOST_IN_VAIN) return;
    const window = { start: dayWindow(dates[0]!).start, end: dayWindow(dates.at(-1)!).end };
    const asked = new Set(dates);
    const states = await context.store.dateStates(window);
    const fresh = states.filter(({ date, calculationId }) => asked.has(date) && calculationId === null);
    if (fresh.length === 0) return;
    const timeline = await timelineOf(context);
    const calculating = inOrder(fresh, DAYS_AT_ONCE, async (state) => {
      await setImmediate();
      context.signal.throwIfAborted();
      return this.#calculateDay(state, timeline);
    });
    for await (const isWritten of calculating) {
      if (!isWritten) this.#inVain += 1;
      if (this.#inVain >= MOST_IN_VAIN) return;
    }
  }

  /** False for a day that is left to its turn. What is written is known, whether or not anybody waits for it. */
  async #calculateDay(state: DateState, timeline: InventoryTimeline): Promise<boolean> {
    const context = this.#context;
    try {
      const calculated = await calculateStored(context, state, timeline);
      if (calculated === null || !isPlain(context, calculated)) return false;
      await saveCalculated(context, state, { ...calculated, provisional: true });
      this.#results.set(state.date, summaryOf(calculated.result));
      return true;
    } catch (cause) {
      // Told of when it is calculated in its turn.
      rethrowFatal(context, cause);
      return false;
    }
  }
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
