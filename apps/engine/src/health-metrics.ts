import type { TenantRun } from '@chargeback/engine';
import { formatUnits } from '@chargeback/money';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RequestOutcome } from './observed-fetch.ts';
import type { TenantHealth } from './tenant-health.ts';

/** Seconds; a stage takes from under a second to hours. */
const BUCKETS = [0.1, 1, 5, 15, 60, 300, 900, 3600, 14_400];

export interface ObservedRequest {
  readonly tenant: string;
  readonly outcome: RequestOutcome;
}

/** The engine's metrics about itself. What they count starts at zero with the process. */
export interface HealthMetrics {
  /** To be called once for each run that ended, however it ended. */
  observeRun(run: TenantRun): void;
  /** To be called when a run has ended: what the database says now. */
  observeTenant(tenant: string, health: TenantHealth): void;
  observeRequest(request: ObservedRequest): void;
  /** All of them in the Prometheus text format. */
  text(): Promise<string>;
}

export function createHealthMetrics({ clock }: { clock: () => Date }): HealthMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = defineMetrics(registry);
  const problems = new Map<string, { tenant: string; code: string; severity: string }[]>();
  return {
    observeRun(run) {
      const { tenant, status } = run;
      const seconds = clock().getTime() / 1000;
      metrics.runs.inc({ tenant, status });
      metrics.lastRun.set({ tenant }, seconds);
      if (status === 'completed') metrics.lastCompletedRun.set({ tenant }, seconds);
      metrics.runSeconds.observe({ tenant }, run.milliseconds / 1000);
      for (const [stage, milliseconds] of Object.entries(run.stages)) {
        metrics.stageSeconds.observe({ tenant, stage }, milliseconds / 1000);
      }
      // A problem that is gone leaves no series behind.
      for (const labels of problems.get(tenant) ?? []) metrics.problems.remove(labels);
      const now = run.problems.map(({ code, severity }) => ({ tenant, code, severity }));
      for (const labels of now) metrics.problems.inc(labels);
      problems.set(tenant, now);
    },
    observeTenant(tenant, health) {
      for (const [state, count] of Object.entries(health.dates)) metrics.dates.set({ tenant, state }, count);
      metrics.samplesSeen.set({ tenant }, health.samplesSeen);
      metrics.samplesExpected.set({ tenant }, health.samplesExpected);
      for (const [currency, units] of health.residue) {
        // A gauge is a float; even the smallest unit stays above 0 in it.
        metrics.residue.set({ tenant, currency }, Number(formatUnits(units)));
      }
    },
    observeRequest({ tenant, outcome }) {
      metrics.requests.inc({ tenant, outcome });
    },
    text: () => registry.metrics(),
  };
}

function defineMetrics(registry: Registry) {
  const registers = [registry];
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Gauge({ name: `chargeback_${name}`, help, labelNames, registers });
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name: `chargeback_${name}`, help, labelNames, registers });
  const histogram = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Histogram({ name: `chargeback_${name}`, help, labelNames, registers, buckets: BUCKETS });
  return {
    runs: counter('runs_total', 'Runs that ended, by how.', ['tenant', 'status']),
    lastRun: gauge('last_run_timestamp_seconds', 'When the last run ended.', ['tenant']),
    lastCompletedRun: gauge(
      'last_completed_run_timestamp_seconds',
      'When the last run ended that had no error.',
      ['tenant'],
    ),
    runSeconds: histogram('run_duration_seconds', 'Duration of runs.', ['tenant']),
    stageSeconds: histogram('stage_duration_seconds', 'Duration of the stages of runs.', ['tenant', 'stage']),
    problems: gauge('problems', 'Problems of the last run, by code.', ['tenant', 'code', 'severity']),
    dates: gauge('dates', 'Days in the window of the last run, by state.', ['tenant', 'state']),
    samplesSeen: gauge('usage_samples_seen', 'Sampling instants of usage that had samples.', ['tenant']),
    samplesExpected: gauge('usage_samples_expected', 'Sampling instants of usage there should be.', [
      'tenant',
    ]),
    residue: gauge(
      'reconciliation_residue',
      'How far the rows are from the bill; anything but 0 is a fault.',
      ['tenant', 'currency'],
    ),
    requests: counter('http_requests_total', 'HTTP requests to sources, by outcome.', ['tenant', 'outcome']),
  };
}
