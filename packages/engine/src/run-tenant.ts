import {
  ChargebackError,
  describeCause,
  type ErrorCode,
  makeProblem,
  type Problem,
} from '@chargeback/plugin-api';
import type { Lease, RunStatus, Store } from '@chargeback/storage';
import { type EndedBecause, LEASE_SECONDS, timeOver, withinLimits } from './run-limits.ts';
import { runStages, type StagedRun } from './run-stages.ts';
import { suspensionOf } from './suspension.ts';
import {
  failedRun,
  NOTHING_DONE,
  type RunOptions,
  type TenantDefinition,
  type TenantRun,
} from './tenant-definition.ts';

/**
 * Runs gather, calculate, emit and prune for one tenant, unless another process does. Never throws: what goes
 * wrong ends up in the result. Whatever was opened is closed in every path.
 */
export async function runTenant(tenant: TenantDefinition, options: RunOptions): Promise<TenantRun> {
  const runId = options.newId();
  try {
    options.signal.throwIfAborted();
    await using store = await tenant.openStore();
    const startedAt = options.host.clock();
    const suspended = await suspensionOf(tenant, store, startedAt);
    if (suspended) return { ...failedRun(tenant.name, suspended), runId, status: 'suspended' };
    const holder = options.processes ? `${options.processes.own} ${runId}` : runId;
    const other = await takeLease(store, options, { holder, now: startedAt });
    if (other) return { ...failedRun(tenant.name, elsewhereProblem(tenant, other)), runId };
    try {
      return await leasedRun(tenant, options, { store, runId, startedAt });
    } finally {
      await release(store, holder);
    }
  } catch (cause) {
    const status = options.signal.aborted ? 'interrupted' : 'failed';
    return { ...failedRun(tenant.name, problemFrom(cause, options.signal)), runId, status };
  }
}

/** Null when the lease is taken, from a process that is known to be dead too; else whose it is. */
async function takeLease(
  store: Store,
  { processes }: RunOptions,
  { holder, now }: { holder: string; now: Date },
): Promise<Lease | null> {
  const request = { holder, now, seconds: LEASE_SECONDS };
  const other = await store.acquireLease(request);
  if (!other || !processes?.isGone(other.holder)) return other;
  return store.acquireLease({ ...request, over: other.holder });
}

interface OpenRun {
  readonly store: Store;
  readonly runId: string;
  readonly startedAt: Date;
}

async function leasedRun(tenant: TenantDefinition, options: RunOptions, open: OpenRun): Promise<TenantRun> {
  const { store, runId, startedAt } = open;
  const { timeoutSeconds } = tenant.limits;
  const run: Omit<StagedRun, 'signal'> = {
    tenant,
    options,
    store,
    runId,
    problems: [],
    counts: { ...NOTHING_DONE },
    milliseconds: {},
  };
  await store.startRun(runId, startedAt);
  let status: RunStatus = 'completed';
  let because: EndedBecause = null;
  try {
    because = await withinLimits({ options, store, timeoutSeconds }, (signal) =>
      runStages({ ...run, signal }),
    );
  } catch (cause) {
    const timedOut = isCoded(cause, 'CB_RUN_TIMEOUT');
    status = options.signal.aborted ? 'interrupted' : timedOut ? 'timed_out' : 'failed';
    run.problems.push(problemFrom(cause, options.signal));
  }
  if (because === 'timed_out' && status === 'completed') {
    // The time was over when nothing was left to do: the work counts, and so does the warning.
    run.problems.push(makeProblem('CB_RUN_TIMEOUT', timeOver({ timeoutSeconds })));
  }
  if (status === 'completed') status = statusOf(run.problems);
  const endedAt = options.host.clock();
  const { periodsEmitted: _, daysPruned: __, ...counts } = run.counts;
  const stages = run.milliseconds;
  try {
    await store.finishRun({ runId, startedAt, endedAt, status, stages, ...counts });
  } catch (cause) {
    // Whoever took the tenant over has recorded this run as interrupted.
    if (!isCoded(cause, 'CB_STORAGE_LEASE')) throw cause;
    if (status === 'completed') status = 'failed';
    if (!run.problems.some(({ code }) => code === 'CB_STORAGE_LEASE'))
      run.problems.push(problemFrom(cause, options.signal));
  }
  return {
    tenant: tenant.name,
    runId,
    status,
    ...run.counts,
    problems: run.problems,
    milliseconds: endedAt.getTime() - startedAt.getTime(),
    stages,
  };
}

function statusOf(problems: readonly Problem[]): RunStatus {
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.some(({ code }) => code === 'CB_RUN_TIMEOUT')) return 'timed_out';
  return errors.length > 0 ? 'failed' : 'completed';
}

/** A lease that cannot be given back expires by itself. */
async function release(store: Store, holder: string): Promise<void> {
  try {
    await store.releaseLease(holder);
  } catch (cause) {
    if (!ChargebackError.isInstance(cause)) throw cause;
  }
}

function elsewhereProblem({ name }: TenantDefinition, { holder, expiresAt }: Lease): Problem {
  const message = `run ${holder} of another process works on ${name}; its lease lasts until ${expiresAt.toISOString()}`;
  return makeProblem('CB_STORAGE_LEASE', message, { severity: 'error', path: name });
}

function isCoded(cause: unknown, code: ErrorCode): boolean {
  return ChargebackError.isInstance(cause) && cause.code === code;
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
