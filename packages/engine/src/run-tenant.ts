import {
  API_VERSION,
  ChargebackError,
  describeCause,
  type Ecosystem,
  type EcosystemPlugin,
  type Logger,
  makeProblem,
  type PluginHost,
  type PluginSettingsBase,
  type Problem,
  type Window,
} from '@chargeback/plugin-api';
import type { RunStatus, Store } from '@chargeback/storage';
import { calculate } from './calculate.ts';
import { type ConfiguredEmitter, emit } from './emit.ts';
import { canonicalJson, digestOf } from './fingerprint.ts';
import { gather } from './gather.ts';
import type { ProgressListener } from './progress.ts';
import type { TenantContext } from './tenant-context.ts';
import { Wiring } from './wiring.ts';

/** Changes when the engine's own arithmetic changes, so that stored days are calculated again. */
const CALCULATION_VERSION = 1;

/** One tenant, fully configured. */
export interface TenantDefinition {
  readonly name: string;
  readonly tenantId: string;
  readonly plugin: EcosystemPlugin;
  /** As parsed by the plugin's schema. */
  readonly settings: PluginSettingsBase;
  readonly allocationRetryLimit: number;
  readonly openStore: () => Promise<Store>;
  readonly makeEmitters: () => readonly ConfiguredEmitter[];
}

export interface RunOptions {
  readonly window: Window;
  readonly regather: boolean;
  /** Everything a plugin may use of the outside world, but for what the engine adds per tenant. */
  readonly host: Omit<PluginHost, 'signal' | 'tenantId' | 'logger'>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
  /** Makes a unique id. */
  readonly newId: () => string;
}

/** How one tenant's run ended. Problems of severity `error` will be retried at the next run. */
export interface TenantRun {
  readonly tenant: string;
  readonly status: RunStatus;
  readonly datesGathered: number;
  readonly datesCalculated: number;
  readonly datesUnchanged: number;
  readonly datesHeld: number;
  readonly rowsWritten: number;
  readonly periodsEmitted: number;
  readonly problems: readonly Problem[];
  readonly milliseconds: number;
}

const NOTHING = {
  datesGathered: 0,
  datesCalculated: 0,
  datesUnchanged: 0,
  datesHeld: 0,
  rowsWritten: 0,
  periodsEmitted: 0,
};

/** The run of a tenant that could not begin. */
export function failedRun(tenant: string, problem: Problem): TenantRun {
  return { tenant, status: 'failed', ...NOTHING, problems: [problem], milliseconds: 0 };
}

/**
 * Runs gather, calculate and emit for one tenant. Never throws: what goes wrong ends up in the result.
 * Whatever was opened is closed in every path.
 */
export async function runTenant(tenant: TenantDefinition, options: RunOptions): Promise<TenantRun> {
  const startedAt = options.host.clock();
  const problems: Problem[] = [];
  const counts = { ...NOTHING };
  let status: RunStatus = 'completed';
  try {
    await using store = await tenant.openStore();
    const runId = options.newId();
    await store.startRun(runId, startedAt);
    try {
      await runStages({ tenant, options, store, runId, problems, counts });
      if (problems.some(({ severity }) => severity === 'error')) status = 'failed';
    } catch (cause) {
      status = options.signal.aborted ? 'interrupted' : 'failed';
      problems.push(problemFrom(cause, options.signal));
    }
    const { periodsEmitted: _, ...run } = counts;
    await store.finishRun({ runId, startedAt, endedAt: options.host.clock(), status, ...run });
  } catch (cause) {
    status = options.signal.aborted ? 'interrupted' : 'failed';
    problems.push(problemFrom(cause, options.signal));
  }
  const milliseconds = options.host.clock().getTime() - startedAt.getTime();
  return { tenant: tenant.name, status, ...counts, problems, milliseconds };
}

interface Stages {
  readonly tenant: TenantDefinition;
  readonly options: RunOptions;
  readonly store: Store;
  readonly runId: string;
  readonly problems: Problem[];
  readonly counts: typeof NOTHING;
}

async function runStages(stages: Stages): Promise<void> {
  const { counts, options } = stages;
  await using ecosystem = await createEcosystem(stages);
  const context = tenantContext(stages, ecosystem);
  const timed = async <Result extends object>(stage: string, work: () => Promise<Result>): Promise<void> => {
    const startedAt = options.host.clock().getTime();
    const result = await work();
    Object.assign(counts, result);
    const milliseconds = options.host.clock().getTime() - startedAt;
    context.logger.info({ stage, ...result, milliseconds }, `${stage} finished`);
  };
  await timed('gather', () => gather(context));
  await timed('calculate', () => calculate(context));
  await timed('emit', () => emit(context, stages.tenant.makeEmitters()));
}

async function createEcosystem({ tenant, options }: Stages): Promise<Ecosystem> {
  const logger = options.logger.child({ tenant: tenant.name });
  const host: PluginHost = { ...options.host, logger, signal: options.signal, tenantId: tenant.tenantId };
  try {
    return await tenant.plugin.create(tenant.settings, host);
  } catch (cause) {
    options.signal.throwIfAborted();
    if (ChargebackError.isInstance(cause)) throw cause;
    throw new ChargebackError('CB_PLUGIN_CREATE', `${tenant.plugin.ecosystem}: ${describeCause(cause)}`, {
      cause,
    });
  }
}

function tenantContext(
  { tenant, options, store, runId, problems }: Stages,
  ecosystem: Ecosystem,
): TenantContext {
  const { plugin, settings } = tenant;
  const version = [plugin.ecosystem, String(API_VERSION), String(CALCULATION_VERSION)];
  return {
    name: tenant.name,
    ecosystemName: plugin.ecosystem,
    tenantId: tenant.tenantId,
    settings,
    allocationRetryLimit: tenant.allocationRetryLimit,
    window: options.window,
    runId,
    store,
    ecosystem,
    wiring: new Wiring(ecosystem),
    logger: options.logger.child({ tenant: tenant.name, run: runId }),
    clock: options.host.clock,
    signal: options.signal,
    onProgress: options.onProgress,
    gatherFingerprint: digestOf([...version, canonicalJson(ecosystem.gatherKey)]),
    allocationFingerprint: digestOf([...version, canonicalJson(allocationSettings(tenant))]),
    regather: options.regather,
    problems,
  };
}

/** Where metrics live and how results leave does not change who bears a cost; everything else may. */
function allocationSettings({ plugin, settings, allocationRetryLimit }: TenantDefinition): object {
  const elsewhere = {
    ...Object.fromEntries((plugin.connectionSettings ?? []).map((key) => [key, null])),
    emitters: null,
    chargeback_granularity: null,
    min_refresh_gap_seconds: null,
    metrics: null,
  };
  return { ...settings, ...elsewhere, allocationRetryLimit };
}

function problemFrom(cause: unknown, signal: AbortSignal): Problem {
  if (signal.aborted) {
    return makeProblem('CB_RUN_INTERRUPTED', 'the run was stopped; what was committed stays', {
      severity: 'error',
    });
  }
  if (ChargebackError.isInstance(cause)) {
    const path = cause.path === null ? {} : { path: cause.path };
    return makeProblem(cause.code, describeCause(cause), { severity: 'error', fix: cause.fix, ...path });
  }
  return makeProblem('CB_INTERNAL', describeCause(cause), { severity: 'error' });
}
