import type { TenantRun } from '@chargeback/engine';
import { describeCause, type Logger } from '@chargeback/plugin-api';
import type { HealthMetrics, ObservedRequest } from './health-metrics.ts';
import type { Exposition, MetricsServer } from './metrics-server.ts';
import type { Session } from './session.ts';
import { readTenantHealth } from './tenant-health.ts';
import type { Tenants } from './tenants.ts';
import { runWindow } from './window.ts';

/** What a long-running command tells about itself over HTTP. */
export interface Monitoring extends AsyncDisposable {
  observeRequest(request: ObservedRequest): void;
  /** The runs of one cycle that has ended. */
  observeRuns(runs: readonly TenantRun[]): Promise<void>;
}

export interface MonitoringOptions {
  readonly session: Session;
  readonly tenants: Tenants;
  readonly clock: () => Date;
}

const NO_MONITORING: Monitoring = {
  observeRequest() {},
  observeRuns: async () => {},
  [Symbol.asyncDispose]: async () => {},
};

/**
 * Serves `/metrics` and `/health` where `monitoring.port` is set; otherwise does nothing.
 * @throws {ChargebackError} `CB_SERVE_LISTEN` when the address cannot be had.
 */
export async function startMonitoring(options: MonitoringOptions): Promise<Monitoring> {
  const { session, tenants, clock } = options;
  const { host, port } = session.loaded.config.monitoring;
  if (port === null) return NO_MONITORING;
  const { createHealthMetrics } = await import('./health-metrics.ts');
  const { startMetricsServer } = await import('./metrics-server.ts');
  const logger = session.logger.child({ module: 'monitoring' });
  const metrics = createHealthMetrics({ clock });
  const lastRuns: Record<string, object> = {};
  const server: MetricsServer = await startMetricsServer({
    host,
    port,
    expositions: [...emitterExpositions(tenants), () => metrics.text()],
    health: () => ({ healthy: true, last_runs: lastRuns }),
    logger,
  });
  logger.info({ url: server.url }, 'metrics are served');
  return {
    observeRequest: (request) => metrics.observeRequest(request),
    observeRuns: async (runs) => {
      for (const run of runs) {
        metrics.observeRun(run);
        lastRuns[run.tenant] = { status: run.status, ended_at: clock().toISOString() };
      }
      await observeTenants(options, { metrics, logger });
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

function emitterExpositions({ definitions }: Tenants): Exposition[] {
  return definitions.flatMap(({ makeEmitters }) =>
    makeEmitters().flatMap(({ emitter }) => (emitter.exposition ? [() => emitter.exposition!()] : [])),
  );
}

interface Observers {
  readonly metrics: HealthMetrics;
  readonly logger: Logger;
}

/** What cannot be read keeps what it showed; it must not end the worker. */
async function observeTenants(
  { tenants, clock }: MonitoringOptions,
  { metrics, logger }: Observers,
): Promise<void> {
  for (const { name, config, openStore } of tenants.definitions) {
    try {
      await using store = await openStore();
      metrics.observeTenant(name, await readTenantHealth(store, runWindow(config, {}, clock())));
    } catch (cause) {
      logger.warn({ tenant: name, cause: describeCause(cause) }, 'the state of a tenant could not be read');
    }
  }
}
