import { exitCodeOf, failedRun, runTenants, type TenantRun } from '@chargeback/engine';
import { ChargebackError } from '@chargeback/plugin-api';
import type { ObservedRequest } from '../health-metrics.ts';
import { createHost, type HostOptions } from '../host.ts';
import { processRegistry } from '../process-registry.ts';
import { observedHost } from '../observed-fetch.ts';
import { createProgress } from '../output/progress.ts';
import { paintFor } from '../output/paint.ts';
import { renderRuns, renderTotals, type TenantTotals } from '../output/run-summary.ts';
import { type ConfigOptions, openSession, type ProcessContext, type Session } from '../session.ts';
import { configureTenants, type ConfiguredTenant, type Tenants } from '../tenants.ts';
import { type DateRange, runWindow } from '../window.ts';
import { totalsOf } from './reconcile.ts';

export interface RunCommandOptions extends ConfigOptions, DateRange {
  readonly tenant?: string;
  readonly regather?: boolean;
  /** Calculate every day of the range anew. */
  readonly recalculate?: boolean;
  readonly json?: boolean;
}

/** `chargeback run`: one cycle for every tenant, then exit. */
export async function run(
  options: RunCommandOptions,
  context: ProcessContext,
  signal: AbortSignal,
): Promise<number> {
  const session = await openSession(options, context);
  const tenants = await configureTenants(session, { only: options.tenant });
  const runs = await execute(session, tenants, { ...options, context, signal });
  if (options.json) context.stdout.write(`${JSON.stringify({ runs: runs.map(jsonOf) }, undefined, 2)}\n`);
  else {
    const paint = paintFor(context.stdout);
    context.stdout.write(renderRuns(runs, paint));
    context.stdout.write(renderTotals(await totalsOfTenants(tenants, options), paint));
  }
  return exitCodeOf(runs);
}

/** What each tenant's days come to; a tenant whose database cannot be opened has been reported already. */
async function totalsOfTenants(tenants: Tenants, range: DateRange): Promise<TenantTotals[]> {
  const totals: TenantTotals[] = [];
  for (const tenant of tenants.definitions) {
    try {
      await using store = await tenant.openStore();
      const rows = await store.reconcile(runWindow(tenant.config, range, new Date()), 'month');
      totals.push({ tenant: tenant.name, totals: totalsOf(rows) });
    } catch (cause) {
      if (!ChargebackError.isInstance(cause)) throw cause;
    }
  }
  return totals;
}

export interface ExecuteOptions extends DateRange {
  readonly regather?: boolean;
  readonly recalculate?: boolean;
  /** Leave what failed alone until its back-off is over. */
  readonly patient?: boolean;
  readonly json?: boolean;
  /** No progress display. */
  readonly quiet?: boolean;
  readonly context: ProcessContext;
  readonly signal: AbortSignal;
  /** Replaces clock and network, as the demo does. */
  readonly host?: Pick<HostOptions, 'clock' | 'fetch'>;
  readonly observeRequest?: (request: ObservedRequest) => void;
}

/** Runs tenants with the progress display; tenants that cannot run are in the result as failed. */
export async function execute(
  session: Session,
  tenants: Tenants,
  options: ExecuteOptions,
): Promise<TenantRun[]> {
  const { loaded, logger } = session;
  const host = createHost({ configDirectory: loaded.directory, ...options.host });
  const byName = new Map<string, ConfiguredTenant>(
    tenants.definitions.map((tenant) => [tenant.name, tenant]),
  );
  const now = host.clock();
  for (const tenant of tenants.definitions) runWindow(tenant.config, options, now);
  const { stdout, stderr } = options.context;
  const shown = !options.json && !options.quiet && stdout.isTTY && stderr.isTTY;
  const display = createProgress([...byName.keys()], shown);
  const runs = await display.around(() =>
    runTenants(tenants.definitions, {
      maxParallelTenants: loaded.config.features.max_parallel_tenants,
      windowOf: ({ name }) => runWindow(byName.get(name)!.config, options, now),
      regather: options.regather ?? false,
      recalculate: options.recalculate ?? false,
      patient: options.patient ?? false,
      host: ({ name: tenant }) => ({
        ...observedHost(host, (outcome) => options.observeRequest?.({ tenant, outcome })),
        concurrency: byName.get(tenant)!.config.metrics_prefetch_workers,
      }),
      newId: host.newId,
      wait: host.sleep,
      elapsed: host.elapsed,
      processes: processRegistry(process),
      logger,
      signal: options.signal,
      onProgress: display.onProgress,
    }),
  );
  return [...runs, ...tenants.unavailable.map(({ name, problem }) => failedRun(name, problem))];
}

/** Names as in the specification's YAML, for machines. */
function jsonOf(result: TenantRun): object {
  return {
    tenant: result.tenant,
    status: result.status,
    dates_gathered: result.datesGathered,
    dates_calculated: result.datesCalculated,
    dates_unchanged: result.datesUnchanged,
    dates_held: result.datesHeld,
    rows_written: result.rowsWritten,
    periods_emitted: result.periodsEmitted,
    days_pruned: result.daysPruned,
    run_id: result.runId,
    milliseconds: result.milliseconds,
    stages: result.stages,
    problems: result.problems,
  };
}
