import {
  dayWindow,
  daysOf,
  type Identity,
  type Inventory,
  type IsoDate,
  MILLISECONDS_PER_DAY,
  type Window,
} from '@chargeback/plugin-api';
import type { DateState, StoredDay, StoredUsage } from '@chargeback/storage';
import { calculateDay, type DayResult, type WindowInventory } from './calculate-day.ts';
import { digestOf, inventoryDigest, resultDigest } from './fingerprint.ts';
import { tenantPeriodOf } from './identity-sets.ts';
import type { TenantContext } from './tenant-context.ts';

export interface CalculateResult {
  readonly datesCalculated: number;
  readonly datesUnchanged: number;
  readonly datesHeld: number;
  readonly rowsWritten: number;
}

/** The inventory of a window with what is derived from it once. */
interface CachedInventory extends WindowInventory {
  readonly digest: string;
}

/**
 * Calculates the days whose inputs or settings changed since their last calculation, and those that are
 * held. Each day is one transaction; a day never waits for another.
 */
export async function calculate(context: TenantContext): Promise<CalculateResult> {
  const states = await context.store.dateStates(context.window);
  const inventories = new InventoryCache(context, await context.store.inventoryChanges(context.window));
  const result = { datesCalculated: 0, datesUnchanged: 0, datesHeld: 0, rowsWritten: 0 };
  for (const [index, state] of states.entries()) {
    context.signal.throwIfAborted();
    const outcome = await calculateState(context, state, inventories);
    if (outcome === 'unchanged') {
      result.datesUnchanged += 1;
    } else {
      if (outcome.held) result.datesHeld += 1;
      else result.datesCalculated += 1;
      context.problems.push(...outcome.problems);
      for (const { portions } of outcome.lines) {
        for (const { identityIds } of portions) result.rowsWritten += identityIds.length;
      }
    }
    context.onProgress({
      tenant: context.name,
      stage: 'calculate',
      done: index + 1,
      total: states.length,
      date: state.date,
    });
  }
  return result;
}

async function calculateState(
  context: TenantContext,
  state: DateState,
  inventories: InventoryCache,
): Promise<DayResult | 'unchanged'> {
  const base = await baseFingerprint(context, state, inventories);
  const settled = state.state === 'calculated';
  if (settled && state.calculationFingerprint === base) return 'unchanged';
  const day = await context.store.loadDay(state.date);
  if (!day) return 'unchanged';
  const loaded = new Map<IsoDate, StoredDay | undefined>([[state.date, day]]);
  const result = await calculateDay(context, {
    day,
    inventoryOf: (window) => inventories.of(window),
    usageOf: (window) => usageOf(context, window, loaded),
  });
  const fingerprint = withOtherDays(base, state.date, loaded);
  if (settled && state.calculationFingerprint === fingerprint) return 'unchanged';
  await context.store.saveCalculatedDay({
    date: state.date,
    state: result.held ? 'held' : 'calculated',
    calculationFingerprint: fingerprint,
    calculationId: resultDigest(state.date, result.lines),
    calculatedAt: context.clock(),
    runId: context.runId,
    lines: result.lines,
    problems: result.problems,
  });
  return result;
}

async function baseFingerprint(
  context: TenantContext,
  state: DateState,
  inventories: InventoryCache,
): Promise<string> {
  const { digest } = await inventories.of(dayWindow(state.date));
  return digestOf([state.inputDigest, digest, context.allocationFingerprint]);
}

/** Lines longer than a day also depend on the usage of other days. */
function withOtherDays(
  base: string,
  date: IsoDate,
  loaded: ReadonlyMap<IsoDate, StoredDay | undefined>,
): string {
  const others = [...loaded]
    .filter(([other]) => other !== date)
    .toSorted(([left], [right]) => (left < right ? -1 : 1));
  if (others.length === 0) return base;
  return digestOf([base, ...others.map(([other, day]) => `${other} ${usageText(day)}`)]);
}

function usageText(day: StoredDay | undefined): string {
  const parts: string[] = [];
  for (const { queryKey, resourceIds, identityIds, values, coverage } of day?.usage.values() ?? []) {
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
  loaded: Map<IsoDate, StoredDay | undefined>,
): Promise<ReadonlyMap<string, StoredUsage>[]> {
  const midnight = Math.floor(window.start.getTime() / MILLISECONDS_PER_DAY) * MILLISECONDS_PER_DAY;
  const usage: ReadonlyMap<string, StoredUsage>[] = [];
  for (const date of daysOf({ start: new Date(midnight), end: window.end })) {
    if (!loaded.has(date)) loaded.set(date, await context.store.loadDay(date));
    usage.push(loaded.get(date)?.usage ?? new Map<string, StoredUsage>());
  }
  return usage;
}

/** The inventory changes at few instants: windows with none of them inside share one. */
class InventoryCache {
  readonly #context: TenantContext;
  readonly #changes: readonly number[];
  readonly #cache = new Map<string, Promise<CachedInventory>>();

  constructor(context: TenantContext, changes: readonly Date[]) {
    this.#context = context;
    this.#changes = changes.map((change) => change.getTime());
  }

  of(window: Window): Promise<CachedInventory> {
    const key = this.#key(window);
    let cached = this.#cache.get(key);
    if (!cached) {
      cached = this.#load(window);
      this.#cache.set(key, cached);
    }
    return cached;
  }

  #key(window: Window): string {
    const { start, end } = window;
    const outside = start < this.#context.window.start || end > this.#context.window.end;
    const before = this.#changes.filter((change) => change <= start.getTime()).length;
    const until = this.#changes.filter((change) => change < end.getTime()).length;
    if (outside || before !== until) return `${start.getTime()}-${end.getTime()}`;
    return `after ${before}`;
  }

  async #load(window: Window): Promise<CachedInventory> {
    const inventory: Inventory = await this.#context.store.loadInventory(window);
    const tenantPeriod: readonly Identity[] = tenantPeriodOf(inventory);
    return { inventory, tenantPeriod, digest: inventoryDigest(inventory) };
  }
}
