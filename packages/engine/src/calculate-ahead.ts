import { setImmediate } from 'node:timers/promises';
import { type BillingLineItem, dayWindow, type IsoDate } from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import pLimit from 'p-limit';
import {
  type Calculated,
  calculateStored,
  DAYS_AT_ONCE,
  type DaySummary,
  saveCalculated,
  summaryOf,
  timelineOf,
} from './calculate-stored.ts';
import type { StoredListener } from './gather-spans.ts';
import type { InventoryTimeline } from './inventory-timeline.ts';
import { lineWindow } from './line-window.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import type { DayStored } from './save-gathered.ts';
import type { TenantContext } from './tenant-context.ts';

/** Days that may be calculated for nothing: where most lines are held or fail, each would be so twice. */
const MOST_IN_VAIN = 3;

/**
 * Calculates days that never were, while others are still being gathered: those that come to rows at once, without a
 * held or failing line and without a look beyond the day. Whatever else there is to them is left to the stage
 * itself, which also sees when something that was gathered later changes them.
 */
export class CalculationAhead implements StoredListener {
  readonly #context: TenantContext;
  readonly #results = new Map<IsoDate, DaySummary>();
  /** A day may be stored a second time: what that changes is seen in its turn. */
  readonly #begun = new Set<IsoDate>();
  readonly #turns = pLimit(DAYS_AT_ONCE);
  #timeline: Promise<InventoryTimeline> | null = null;
  /** Whether somebody was seen whom the timeline does not know. */
  #isBehind = false;
  /** Days since then. Reading the inventory anew for each of them would take longer than they do. */
  #waiting: DateState[] = [];
  #inVain = 0;

  constructor(context: TenantContext) {
    this.#context = context;
  }

  /** What was written, by day. */
  get results(): ReadonlyMap<IsoDate, DaySummary> {
    return this.#results;
  }

  /** Rejects only with what ends a run. */
  async day({ state, observes }: DayStored): Promise<void> {
    if (observes && this.#timeline !== null) this.#isBehind = true;
    if (state.calculationId !== null || this.#context.recalculate || this.#begun.has(state.date)) return;
    this.#begun.add(state.date);
    if (this.#isBehind) this.#waiting.push(state);
    else await this.#turns(() => this.#inTurn(state));
  }

  async span(): Promise<void> {
    if (!this.#isBehind) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#isBehind = false;
    this.#timeline = null;
    await Promise.all(waiting.map((state) => this.#turns(() => this.#inTurn(state))));
  }

  async #inTurn(state: DateState): Promise<void> {
    const context = this.#context;
    await setImmediate();
    context.signal.throwIfAborted();
    if (this.#inVain >= MOST_IN_VAIN) return;
    this.#timeline ??= timelineOf(context);
    const isWritten = await this.#calculateDay(state, await this.#timeline);
    if (!isWritten) this.#inVain += 1;
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
