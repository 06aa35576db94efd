import {
  dayWindow,
  daysOf,
  type IsoDate,
  MILLISECONDS_PER_DAY,
  type Problem,
  type Window,
} from '@chargeback/plugin-api';
import type { DateState, StoredDay, StoredUsage } from '@chargeback/storage';
import { calculateDay, type DayResult } from './calculate-day.ts';
import { digestOf, resultDigest } from './fingerprint.ts';
import { InventoryTimeline, type WindowInventory } from './inventory-timeline.ts';
import type { TenantContext } from './tenant-context.ts';

/** One is calculated while the database writes the other. */
export const DAYS_AT_ONCE = 2;

/** A stored day, what it comes to, and what that depends on. */
export interface Calculated {
  readonly day: StoredDay;
  readonly result: DayResult;
  readonly fingerprint: string;
}

/** Null for a day without inputs, and for one that is settled and whose own inputs are those of its result. */
export async function calculateStored(
  context: TenantContext,
  state: DateState,
  timeline: InventoryTimeline,
): Promise<Calculated | null> {
  const base = (resourceIds: readonly string[]): string =>
    baseFingerprint(context, { state, timeline, resourceIds });
  if (isSettled(context, state)) {
    const resourceIds = await context.store.lineResources(state.date);
    if (state.calculationFingerprint === base(resourceIds)) return null;
  }
  const day = await context.store.loadDay(state.date);
  if (!day) return null;
  const own = base(resourcesOf(day));
  const loaded = new Map<IsoDate, DayUsage>([[state.date, day.usage]]);
  const windows = new Map<string, WindowInventory>();
  const result = await calculateDay(context, {
    day,
    inventoryOf: (window) => {
      const inventory = timeline.of(window);
      windows.set(`${window.start.toISOString()} ${window.end.toISOString()}`, inventory);
      return inventory;
    },
    lifetimesOf: (resourceId) => timeline.lifetimesOf(resourceId),
    usageOf: (window) => usageOf(context, window, loaded),
  });
  return { day, result, fingerprint: withOtherWindows(own, { date: state.date, loaded, windows }) };
}

function resourcesOf({ lines }: StoredDay): string[] {
  return [...new Set(lines.flatMap(({ resourceId }) => resourceId ?? []))];
}

export async function saveCalculated(
  context: TenantContext,
  state: DateState,
  { provisional = false, ...calculated }: Calculated & { readonly provisional?: boolean },
): Promise<void> {
  const { result, fingerprint } = calculated;
  await context.store.saveCalculatedDay({
    date: state.date,
    bill: calculated.day.bill,
    state: nameOf(result),
    calculationFingerprint: fingerprint,
    calculationId: idOf(calculated),
    calculatedAt: context.clock(),
    runId: context.runId,
    provisional,
    reason: reasonOf(state.calculationFingerprint, fingerprint),
    lines: result.lines,
    problems: result.problems,
  });
}

export function nameOf({ held }: DayResult): 'held' | 'calculated' {
  return held ? 'held' : 'calculated';
}

export function idOf({ day, result }: Calculated): string {
  return resultDigest(day.date, day.lines, result.lines);
}

/** A failed allocation may succeed with the same inputs, when what made it fail has been mended. */
export function isSettled(context: TenantContext, state: DateState): boolean {
  return state.state === 'calculated' && state.failedLineCount === 0 && !context.recalculate;
}

export function sameAttempts(day: StoredDay, { lines }: DayResult): boolean {
  return lines.every(({ lineId, attempts }) => attempts === (day.attempts.get(lineId)?.count ?? 0));
}

/** What a fingerprint is made of, in this order, so that a change can be told from another. */
const PARTS = ['bill or usage', 'inventory', 'settings', 'other days of longer lines'] as const;

function fingerprintOf(parts: readonly string[]): string {
  return parts.map((part) => part.slice(0, 32)).join('.');
}

function reasonOf(before: string | null, after: string): string {
  if (before === null) return 'first calculation';
  const now = after.split('.');
  const changed = PARTS.filter((_part, index) => before.split('.')[index] !== now[index]);
  return changed.length === 0 ? 'tried again' : `changed: ${changed.join(', ')}`;
}

interface FingerprintedDay {
  readonly state: DateState;
  readonly timeline: InventoryTimeline;
  /** Those that the bill names. */
  readonly resourceIds: readonly string[];
}

function baseFingerprint(context: TenantContext, { state, timeline, resourceIds }: FingerprintedDay): string {
  const window = dayWindow(state.date);
  const outside = timeline.outsideDigest(window, resourceIds);
  const inventory = digestOf([timeline.of(window).digest, outside]);
  return fingerprintOf([state.inputDigest, inventory, context.allocationFingerprint, '']);
}

/** Longer than any window of a line but those of custom granularities. */
const MONTH = 31 * MILLISECONDS_PER_DAY;

/** The windows of lines reach beyond the run's own. */
function aroundWindow({ window, settings }: TenantContext): Window {
  const hours = Object.values(settings.granularity_durations);
  const margin = Math.max(MONTH, ...hours.map((length) => length * 3_600_000));
  return {
    start: new Date(window.start.getTime() - margin),
    end: new Date(window.end.getTime() + margin),
  };
}

type DayUsage = ReadonlyMap<string, StoredUsage>;

interface OtherWindows {
  readonly date: IsoDate;
  readonly loaded: ReadonlyMap<IsoDate, DayUsage>;
  readonly windows: ReadonlyMap<string, WindowInventory>;
}

/** Lines longer than a day also depend on the usage of other days and on who was there on them. */
function withOtherWindows(base: string, { date, loaded, windows }: OtherWindows): string {
  const { start, end } = dayWindow(date);
  const days = [...loaded]
    .filter(([other]) => other !== date)
    .map(([other, usage]) => `${other} ${usageText(usage)}`);
  const inventories = [...windows]
    .filter(([window]) => window !== `${start.toISOString()} ${end.toISOString()}`)
    .map(([window, { digest }]) => `${window} ${digest}`);
  if (days.length === 0 && inventories.length === 0) return base;
  return base + digestOf([...days.toSorted(), ...inventories.toSorted()]).slice(0, 32);
}

function usageText(usage: DayUsage): string {
  const parts: string[] = [];
  for (const { queryKey, resourceIds, identityIds, values, coverage } of usage.values()) {
    parts.push(JSON.stringify([queryKey, coverage]));
    for (const [index, identityId] of identityIds.entries()) {
      parts.push(JSON.stringify([queryKey, resourceIds?.[index], identityId, values[index]]));
    }
  }
  return digestOf(parts.toSorted());
}

async function usageOf(
  context: TenantContext,
  window: Window,
  loaded: Map<IsoDate, DayUsage>,
): Promise<DayUsage[]> {
  const midnight = Math.floor(window.start.getTime() / MILLISECONDS_PER_DAY) * MILLISECONDS_PER_DAY;
  const usage: DayUsage[] = [];
  for (const date of daysOf({ start: new Date(midnight), end: window.end })) {
    const known = loaded.get(date) ?? (await context.store.loadUsage(date));
    loaded.set(date, known);
    usage.push(known);
  }
  return usage;
}

/** What is told of a day's result. */
export interface DaySummary {
  readonly held: boolean;
  readonly rows: number;
  readonly problems: readonly Problem[];
}

export function summaryOf({ held, lines, problems }: DayResult): DaySummary {
  let rows = 0;
  for (const { portions } of lines) for (const { identityIds } of portions) rows += identityIds.length;
  return { held, rows, problems };
}

export async function timelineOf(context: TenantContext): Promise<InventoryTimeline> {
  return new InventoryTimeline(await context.store.loadLifetimes(aroundWindow(context)));
}
