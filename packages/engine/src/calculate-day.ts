import {
  type BillingLineItem,
  ChargebackError,
  describeCause,
  type Inventory,
  isComplete,
  makeProblem,
  type Problem,
  type ProductRoute,
  type ResolveContext,
  type Resource,
  UNALLOCATED,
  type Window,
} from '@chargeback/plugin-api';
import type { CalculatedLine, LineAttempts, StoredDay, StoredUsage } from '@chargeback/storage';
import { activeFraction } from './active-fraction.ts';
import { allocateLine } from './allocate-line.ts';
import { AllocatedOfDay } from './allocated-of-day.ts';
import { backOff } from './back-off.ts';
import type { WindowInventory } from './inventory-timeline.ts';
import { followsHeld, type Gap, gapProblem, unknownProducts, whollyRetained } from './line-problems.ts';
import { lineWindow } from './line-window.ts';
import type { TenantContext } from './tenant-context.ts';
import { UsageView } from './usage-view.ts';
import { verifyConservation } from './verify-conservation.ts';
import { eachWithinTimeLimit, LINE_LIMIT_MILLISECONDS } from './within-time-limit.ts';

/** Stored inputs around a day, for lines whose window is not the day itself. */
export interface DayInputs {
  readonly day: StoredDay;
  /** The inventory as it was in a window, with its identities in order. */
  readonly inventoryOf: (window: Window) => WindowInventory;
  /** Every lifetime of a resource, whatever the window; empty when it was never known. */
  readonly lifetimesOf: (resourceId: string) => readonly Resource[];
  /** Stored usage of every day that a window touches. */
  readonly usageOf: (window: Window) => Promise<readonly ReadonlyMap<string, StoredUsage>[]>;
}

/** What one day comes to, before it is written. */
export interface DayResult {
  readonly lines: readonly CalculatedLine[];
  readonly problems: readonly Problem[];
  readonly held: boolean;
}

interface LineOutcome {
  readonly result: CalculatedLine;
  readonly problem: Problem | null;
}

/**
 * Calculates a day from stored inputs alone. A line that fails or lacks its inputs is held by itself; its
 * siblings get their rows.
 * @throws {ChargebackError} `CB_UNCONSERVED` when rows do not add up; nothing may be written then.
 */
export async function calculateDay(context: TenantContext, inputs: DayInputs): Promise<DayResult> {
  const outcomes = new Map<string, LineOutcome>();
  const windows = new Map<string, () => WindowInputs>();
  const { leading, following } = byPlace(context, inputs.day.lines);
  const others = new AllocatedOfDay(() => leading.map(({ line }) => outcomes.get(line.lineId)!.result));
  const lineInputs: LineInputs[] = [];
  for (const line of [...leading, ...following]) {
    const of = await windowInputs(context, inputs, { line, windows });
    lineInputs.push({ ...inputs, ...line, others, of });
  }
  await eachWithinTimeLimit(lineInputs, {
    work: (line) => outcomes.set(line.line.lineId, calculateLine(context, line)),
    onOvertime: (line) => outcomes.set(line.line.lineId, overtimeLine(context, line)),
    signal: context.signal,
  });
  const lines = [...outcomes.values()].map(({ result }) => result);
  verifyConservation(inputs.day.lines, new Map(lines.map((line) => [line.lineId, line])));
  const problems = [...outcomes.values()].flatMap(({ problem }) => problem ?? []);
  problems.push(...unknownProducts(context, inputs.day), ...whollyRetained({ ...inputs, lines }));
  return { lines, problems, held: lines.some(({ state }) => state === 'held') };
}

/** Lines that follow what others were allocated, and those others. */
function byPlace(
  context: TenantContext,
  lines: readonly BillingLineItem[],
): { leading: RoutedLine[]; following: RoutedLine[] } {
  const routed = lines.map((line) => ({
    line,
    route: context.wiring.route(line.productType) ?? context.wiring.fallback,
  }));
  const follows = ({ route }: RoutedLine): boolean => route.afterOthers === true;
  return { leading: routed.filter((line) => !follows(line)), following: routed.filter(follows) };
}

interface RoutedLine {
  readonly line: BillingLineItem;
  readonly route: ProductRoute;
}

interface LineInputs extends DayInputs, RoutedLine {
  readonly others: AllocatedOfDay;
  /** Throws for a line whose window cannot be told. */
  readonly of: () => WindowInputs;
}

/** What the lines of one window have in common. */
interface WindowInputs {
  readonly window: Window;
  /** Looked up when a line asks for it. */
  readonly inventory: WindowInventory;
  /** What could not be loaded throws for every line. */
  readonly view: () => UsageView;
}

/** Synchronous, so that one watch covers many lines: what waits has been waited for before. */
function calculateLine(context: TenantContext, inputs: LineInputs): LineOutcome {
  const { line, route, day, others } = inputs;
  const attempts = day.attempts.get(line.lineId);
  if (route.afterOthers && others.held > 0) return held(line, attempts?.count ?? 0, followsHeld(inputs));
  try {
    const resolve = resolveContext(context, inputs);
    const gap = missingInputs(line, route, resolve);
    const tries = gap ? countTry(context, attempts) : 0;
    if (gap && mustHold(context, gap, tries)) {
      return held(line, tries, gapProblem(gap, day.date, 'error'));
    }
    const { tenantPeriod } = inputs.of().inventory;
    const whole = context.settings.partial_period === 'allocate_full';
    const allocated = allocateLine({
      context: resolve,
      route,
      tenantPeriod,
      ...(route.afterOthers ? { allocatedOfDay: () => others.weights() } : {}),
      active: activeFraction(whole ? [] : lifetimesOf(inputs), resolve.window),
    });
    return {
      result: {
        lineId: line.lineId,
        state: 'allocated',
        retainedUnits: allocated.retained.units,
        portions: allocated.portions,
        attempts: tries,
      },
      problem: gap ? gapProblem(gap, day.date, 'warning') : null,
    };
  } catch (cause) {
    if (ChargebackError.isInstance(cause) && cause.code === 'CB_GRANULARITY_UNKNOWN') {
      return held(
        line,
        attempts?.count ?? 0,
        makeProblem(cause.code, cause.message, { severity: 'error', date: day.date }),
      );
    }
    return failedLine(context, inputs, { attempts: countTry(context, attempts), cause });
  }
}

function overtimeLine(context: TenantContext, inputs: LineInputs): LineOutcome {
  const { line, day } = inputs;
  const limit = `${LINE_LIMIT_MILLISECONDS / 1000} s`;
  const message = `${context.wiring.handlersOf(line.productType)} did not end within ${limit} and was cut off`;
  return failedLine(context, inputs, {
    attempts: countTry(context, day.attempts.get(line.lineId)),
    cause: new ChargebackError('CB_ALLOCATION_FAILED', message),
  });
}

/** Runs may follow one another within minutes: only a try after the back-off of the one before counts. */
function countTry(context: TenantContext, before: LineAttempts | undefined): number {
  if (!before) return 1;
  const waited = context.clock().getTime() - before.triedAt.getTime();
  const counts = waited >= backOff(before.count) ? 1 : 0;
  return Math.min(before.count + counts, context.limits.allocationRetryLimit);
}

async function windowInputs(
  { settings }: TenantContext,
  inputs: DayInputs,
  { line: { line }, windows }: { line: RoutedLine; windows: Map<string, () => WindowInputs> },
): Promise<() => WindowInputs> {
  let window: Window;
  try {
    window = lineWindow(line, settings.granularity_durations);
  } catch (cause) {
    // Told when the line is calculated.
    return () => {
      throw cause;
    };
  }
  const key = keyOf(window);
  const known = windows.get(key);
  if (known) return known;
  const view = await viewOf(inputs, window);
  let inventory: WindowInventory | undefined;
  const made = {
    window,
    view,
    get inventory() {
      return (inventory ??= inputs.inventoryOf(window));
    },
  };
  windows.set(key, () => made);
  return () => made;
}

async function viewOf(inputs: DayInputs, window: Window): Promise<WindowInputs['view']> {
  try {
    const view = new UsageView(await inputs.usageOf(window));
    return () => view;
  } catch (cause) {
    return () => {
      throw cause;
    };
  }
}

function keyOf({ start, end }: Window): string {
  return `${start.getTime()}-${end.getTime()}`;
}

function resolveContext(context: TenantContext, inputs: LineInputs): ResolveContext {
  const { line } = inputs;
  const of = inputs.of();
  const { window } = of;
  const { inventory } = of.inventory;
  const usage = of.view();
  return {
    line,
    window,
    inventory,
    resource: resourceOf(inputs, inventory),
    usage: (queryKey) => usage.usage(queryKey, line.resourceId),
    params: context.settings.allocator_params,
  };
}

function lifetimesOf({ line, lifetimesOf: find }: LineInputs): readonly Resource[] {
  return line.resourceId === null ? [] : find(line.resourceId);
}

/** A resource that is known is known also where it did not exist in the window: its line is retained then. */
function resourceOf(inputs: LineInputs, { resources }: Inventory): Resource | null {
  const { resourceId } = inputs.line;
  if (resourceId === null) return null;
  return resources.get(resourceId) ?? lifetimesOf(inputs).at(-1) ?? null;
}

function missingInputs(line: BillingLineItem, route: ProductRoute, context: ResolveContext): Gap | null {
  if (line.coverage !== null && !isComplete(line.coverage)) {
    const { samplesSeen, samplesExpected } = line.coverage;
    const what = `its cost rests on ${samplesSeen} of ${samplesExpected} samples`;
    return { what, lineId: line.lineId, partly: samplesSeen > 0, costUnknown: samplesSeen === 0 };
  }
  for (const { key } of route.usage) {
    const { outcome, coverage } = context.usage(key);
    if (outcome === 'complete') continue;
    const what = `usage ${key} has ${coverage.samplesSeen} of ${coverage.samplesExpected} samples`;
    return { what, lineId: line.lineId, partly: coverage.samplesSeen > 0, costUnknown: false };
  }
  return null;
}

function mustHold(context: TenantContext, gap: Gap, tries: number): boolean {
  const policy = context.settings.missing_usage;
  if (policy === 'fallback') return false;
  if (gap.costUnknown) return true;
  if (tries >= context.limits.allocationRetryLimit) return false;
  return policy === 'hold' || (policy === 'estimate' && !gap.partly);
}

function held(line: BillingLineItem, attempts: number, problem: Problem): LineOutcome {
  return {
    result: { lineId: line.lineId, state: 'held', retainedUnits: 0n, portions: [], attempts },
    problem,
  };
}

/** Below the limit the line is held and tried again; at the limit its whole cost goes to UNALLOCATED. */
function failedLine(
  context: TenantContext,
  { line, day }: LineInputs,
  failure: { attempts: number; cause: unknown },
): LineOutcome {
  const { attempts } = failure;
  const settled = attempts >= context.limits.allocationRetryLimit;
  const end = settled ? 'its cost went to UNALLOCATED' : 'it is held and tried again';
  const message = `line ${line.lineId} failed ${attempts} of ${context.limits.allocationRetryLimit} times, ${end}: ${describeCause(failure.cause)}`;
  const fix = ChargebackError.isInstance(failure.cause) ? { fix: failure.cause.fix } : {};
  const problem = makeProblem('CB_ALLOCATION_FAILED', message, {
    severity: 'error',
    date: day.date,
    path: line.lineId,
    ...fix,
  });
  if (!settled) return held(line, attempts, problem);
  const { units } = line.totalCost;
  const result: CalculatedLine = {
    lineId: line.lineId,
    state: 'allocated',
    retainedUnits: 0n,
    attempts,
    portions: [
      {
        costType: 'SHARED',
        method: 'ALLOCATION_FAILED',
        detail: 'ALLOCATION_FAILED',
        chainTier: null,
        compositionIndex: null,
        compositionRatio: null,
        tiersTried: [],
        identityIds: [UNALLOCATED],
        units: [units],
        ratios: [1],
      },
    ],
  };
  return { result, problem };
}
