import { exitCodeOf, type TenantRun } from '@chargeback/engine';
import { ChargebackError, type Logger } from '@chargeback/plugin-api';
import { Cron } from 'croner';
import { createHost, type Host, type HostOptions } from '../host.ts';
import { type Monitoring, startMonitoring } from '../monitoring.ts';
import { type ConfigOptions, openSession, type ProcessContext, type Session } from '../session.ts';
import { configureTenants, type Tenants } from '../tenants.ts';
import { execute } from './run.ts';

export interface WorkerOptions extends ConfigOptions {
  readonly tenant?: string;
  /** Replaces clock and network in tests. */
  readonly host?: Pick<HostOptions, 'clock' | 'fetch'>;
}

/**
 * `chargeback worker`: one cycle after another, every `refresh_interval` seconds or by `refresh_schedule`, until
 * a signal stops it. With `enable_periodic_refresh: false` one cycle.
 */
export async function worker(
  options: WorkerOptions,
  context: ProcessContext,
  signal: AbortSignal,
): Promise<number> {
  const session = await openSession(options, context);
  const tenants = await configureTenants(session, { only: options.tenant });
  const host = createHost({ configDirectory: session.loaded.directory, ...options.host });
  const logger = session.logger.child({ module: 'worker' });
  const next = schedule(session);
  await using monitoring = await startMonitoring({ session, tenants, clock: host.clock });
  logger.info({ tenants: tenants.definitions.map(({ name }) => name) }, 'worker started');
  for (;;) {
    const runs = await cycle({ session, tenants, options, context, signal, logger, monitoring });
    if (signal.aborted) break;
    if (!session.loaded.config.features.enable_periodic_refresh) return exitCodeOf(runs);
    const at = next(host.clock());
    await announce(tenants, at, logger);
    if (!(await slept(host, at, signal))) break;
  }
  await announce(tenants, null, logger);
  logger.info({}, 'worker stopped');
  return 0;
}

interface Cycle {
  readonly session: Session;
  readonly tenants: Tenants;
  readonly options: WorkerOptions;
  readonly context: ProcessContext;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly monitoring: Monitoring;
}

async function cycle({ session, tenants, options, ...cycled }: Cycle): Promise<TenantRun[]> {
  const { context, signal, logger, monitoring } = cycled;
  const host = options.host === undefined ? {} : { host: options.host };
  const { observeRequest } = monitoring;
  const how = { context, signal, quiet: true, patient: true, observeRequest, ...host };
  const runs = await execute(session, tenants, how);
  for (const run of runs) {
    const { tenant, runId, status, problems, stages, milliseconds } = run;
    const counts = {
      gathered: run.datesGathered,
      calculated: run.datesCalculated,
      unchanged: run.datesUnchanged,
      held: run.datesHeld,
      emitted: run.periodsEmitted,
      pruned: run.daysPruned,
    };
    const line = { tenant, run: runId, status, ...counts, problems: problems.length, stages, milliseconds };
    if (problems.some(({ code }) => code === 'CB_STORAGE_LEASE')) {
      logger.info({ tenant }, 'left to the process that works on it');
      continue;
    }
    if (status === 'completed') logger.info(line, 'run finished');
    else
      logger.error(
        line,
        `run ${status}: ${problems.find(({ severity }) => severity === 'error')?.message ?? ''}`,
      );
  }
  if (!signal.aborted) await monitoring.observeRuns(runs);
  return runs;
}

/** When the next cycle begins, given when the last one ended. */
function schedule({ loaded }: Session): (after: Date) => Date {
  const { refresh_interval: seconds, refresh_schedule: expression } = loaded.config.features;
  if (expression === null) return (after) => new Date(after.getTime() + seconds * 1000);
  const cron = parseSchedule(expression);
  return (after) => cron.nextRun(after) ?? new Date(after.getTime() + seconds * 1000);
}

/** @throws {ChargebackError} `CB_CONFIG_VALUE` for what is no cron expression, or one that never comes. */
export function parseSchedule(expression: string): Cron {
  const fix = 'Write five fields, such as "15 3 * * *" for a quarter past three every day, UTC.';
  try {
    const cron = new Cron(expression, { timezone: 'UTC', paused: true });
    if (cron.nextRun() !== null) return cron;
  } catch (cause) {
    const message = `features.refresh_schedule: ${JSON.stringify(expression)} is no cron expression`;
    throw new ChargebackError('CB_CONFIG_VALUE', message, { cause, fix, path: 'features.refresh_schedule' });
  }
  const message = `features.refresh_schedule: ${JSON.stringify(expression)} never comes`;
  throw new ChargebackError('CB_CONFIG_VALUE', message, { fix, path: 'features.refresh_schedule' });
}

/** `chargeback status` shows it. A database that cannot be opened has been reported by the run. */
async function announce({ definitions }: Tenants, nextRunAt: Date | null, logger: Logger): Promise<void> {
  for (const tenant of definitions) {
    try {
      await using store = await tenant.openStore();
      await store.saveTenantState({ nextRunAt });
    } catch (cause) {
      if (!ChargebackError.isInstance(cause)) throw cause;
      logger.debug({ tenant: tenant.name, code: cause.code }, cause.message);
    }
  }
}

async function slept(host: Host, until: Date, signal: AbortSignal): Promise<boolean> {
  try {
    await host.sleep(Math.max(0, until.getTime() - host.clock().getTime()), signal);
    return !signal.aborted;
  } catch {
    return false;
  }
}
