import {
  API_VERSION,
  ChargebackError,
  describeCause,
  type Ecosystem,
  isoDateOf,
  makeProblem,
  MILLISECONDS_PER_DAY,
  type PluginHost,
  type Problem,
  startOfDay,
  type Window,
} from '@chargeback/plugin-api';
import type { Store } from '@chargeback/storage';
import { CalculationAhead } from './calculate-ahead.ts';
import { calculate } from './calculate.ts';
import { emit } from './emit.ts';
import { canonicalJson, digestOf } from './fingerprint.ts';
import { gather } from './gather.ts';
import { NO_OVERRIDES } from './overrides/tenant-overrides.ts';
import { prune, retentionStart } from './prune.ts';
import { countGather } from './suspension.ts';
import type { TenantContext } from './tenant-context.ts';
import type { RunCounts, RunOptions, TenantDefinition } from './tenant-definition.ts';
import { TimeShare } from './time-share.ts';
import { Wiring } from './wiring.ts';

/** Changes when the engine's own arithmetic changes, so that stored days are calculated again. */
const CALCULATION_VERSION = 1;
/** How much of `tenant_execution_timeout_seconds` gathering may take, so that what it stored is calculated too. */
const GATHER_SHARE = 0.75;

export interface StagedRun {
  readonly tenant: TenantDefinition;
  readonly options: RunOptions;
  readonly store: Store;
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly problems: Problem[];
  readonly counts: { -readonly [Key in keyof RunCounts]: RunCounts[Key] };
  readonly milliseconds: Record<string, number>;
}

/** Gather, calculate, emit, prune. Whatever the plugin opened is closed in every path. */
export async function runStages(run: StagedRun): Promise<void> {
  const { counts, options, tenant, store } = run;
  await using ecosystem = await createEcosystem(run);
  const context = tenantContext(run, ecosystem);
  const timed = async (stage: string, work: () => Promise<Partial<RunCounts>>): Promise<void> => {
    const startedAt = options.elapsed();
    const result = await work();
    Object.assign(counts, result);
    const milliseconds = Math.round(options.elapsed() - startedAt);
    run.milliseconds[stage] = milliseconds;
    context.logger.info({ stage, ...result, milliseconds }, `${stage} finished`);
  };
  let written: CalculationAhead['results'] = new Map();
  await timed('gather', async () => {
    const ahead = new CalculationAhead(context);
    const milliseconds = tenant.limits.timeoutSeconds * 1000 * GATHER_SHARE;
    await using time = new TimeShare({ ...options, signal: context.signal, milliseconds });
    const { failure, ...result } = await gather(context, time, ahead);
    const suspended = await countGather(tenant, store, { failure, now: options.host.clock() });
    if (suspended) context.problems.push(suspended);
    written = ahead.results;
    return result;
  });
  await timed('calculate', () => calculate(context, written));
  await timed('emit', () => emit(context, tenant.makeEmitters()));
  await timed('prune', () => prune(context));
}

async function createEcosystem({ tenant, options, store, signal }: StagedRun): Promise<Ecosystem> {
  const logger = options.logger.child({ tenant: tenant.name });
  const host: PluginHost = { ...options.host, logger, signal, tenantId: tenant.tenantId };
  try {
    return await tenant.plugin.create(tenant.settings, host);
  } catch (cause) {
    signal.throwIfAborted();
    await countGather(tenant, store, { failure: cause, now: options.host.clock() });
    if (ChargebackError.isInstance(cause)) throw cause;
    throw new ChargebackError('CB_PLUGIN_CREATE', `${tenant.plugin.ecosystem}: ${describeCause(cause)}`, {
      cause,
    });
  }
}

function tenantContext(run: StagedRun, ecosystem: Ecosystem): TenantContext {
  const { tenant, options, store, runId, problems, signal } = run;
  const { plugin, settings, limits } = tenant;
  const version = [plugin.ecosystem, String(API_VERSION), String(CALCULATION_VERSION)];
  const pluginVersion = plugin.version ?? '';
  const overrides = tenant.overrides ?? NO_OVERRIDES;
  const allocating = [pluginVersion, canonicalJson(allocationSettings(tenant))];
  if (overrides.digest !== '') allocating.push(overrides.digest);
  const kept = retentionStart(options.host.clock(), limits.retentionDays);
  const window = keptWindow(options.window, kept, problems);
  return {
    name: tenant.name,
    ecosystemName: plugin.ecosystem,
    tenantId: tenant.tenantId,
    settings,
    limits,
    window,
    lookbackStart: lookbackStart(run, window),
    retentionStart: kept,
    runId,
    store,
    ecosystem,
    wiring: new Wiring(ecosystem, { overrides, guarded: tenant.thirdParty ?? false }),
    logger: options.logger.child({ tenant: tenant.name, run: runId }),
    clock: options.host.clock,
    signal,
    onProgress: options.onProgress,
    gatherFingerprint: digestOf([...version, canonicalJson(ecosystem.gatherKey)]),
    allocationFingerprint: digestOf([...version, ...allocating]),
    regather: options.regather,
    recalculate: options.recalculate ?? false,
    patient: options.patient ?? false,
    problems,
  };
}

/** The run's own window may begin elsewhere than that of the runs to come. */
function lookbackStart({ tenant, options }: StagedRun, { start }: Window): Date {
  if (tenant.lookbackDays === undefined) return start;
  const today = startOfDay(isoDateOf(options.host.clock()));
  const usual = new Date(today.getTime() - tenant.lookbackDays * MILLISECONDS_PER_DAY);
  return usual < start ? usual : start;
}

/** What retention removes at the end of a run is not fetched at its beginning. */
function keptWindow(window: Window, kept: string, problems: Problem[]): Window {
  const start = startOfDay(kept);
  if (window.start >= start) return window;
  const message = `days before ${kept} are left out: retention_days would remove them again`;
  problems.push(
    makeProblem('CB_RUN_RETENTION', message, {
      fix: 'Raise retention_days, or look back fewer days than it keeps.',
    }),
  );
  return { start: start < window.end ? start : window.end, end: window.end };
}

/** Where metrics and inventory are asked and how results leave does not change who bears a cost; all else may. */
function allocationSettings({ plugin, settings, limits }: TenantDefinition): object {
  const elsewhere = {
    ...Object.fromEntries((plugin.connectionSettings ?? []).map((key) => [key, null])),
    emitters: null,
    chargeback_granularity: null,
    min_refresh_gap_seconds: null,
    metrics: null,
    resource_source: null,
  };
  return { ...settings, ...elsewhere, allocationRetryLimit: limits.allocationRetryLimit };
}
