import { retentionStart } from '@chargeback/engine';
import {
  ChargebackError,
  describeCause,
  ERROR_CODES,
  makeProblem,
  type Problem,
} from '@chargeback/plugin-api';
import type { PruneCounts, Store } from '@chargeback/storage';
import { createHost } from '../host.ts';
import { paintFor } from '../output/paint.ts';
import { renderTable } from '../output/render-table.ts';
import { renderProblems } from '../output/problems.ts';
import { type ConfigOptions, openSession, type ProcessContext } from '../session.ts';
import { configureTenants, type ConfiguredTenant } from '../tenants.ts';
import { assertDatabase } from './open-tenant.ts';

export interface PruneOptions extends ConfigOptions {
  readonly tenant?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

interface Pruned extends PruneCounts {
  readonly tenant: string;
  /** First day that is kept. */
  readonly keeps: string;
}

const LEASE_SECONDS = 120;

/**
 * `chargeback prune`: removes what is older than `retention_days`, as every run does at its end. A tenant of which
 * nothing can be removed does not keep the others from it; the exit code tells.
 */
export async function pruneCommand(
  options: PruneOptions,
  context: ProcessContext,
  signal: AbortSignal,
): Promise<number> {
  const session = await openSession(options, context);
  const { definitions, unavailable } = await configureTenants(session, {
    only: options.tenant,
    importCode: false,
  });
  const host = createHost({ configDirectory: session.loaded.directory });
  const pruned: Pruned[] = [];
  const failures: Failure[] = unavailable.map(({ name, problem }) => ({ tenant: name, problem }));
  for (const tenant of definitions) {
    const keeps = retentionStart(host.clock(), tenant.config.retention_days);
    const work = { keeps, holder: host.newId(), now: host.clock(), signal };
    try {
      pruned.push(await pruneTenant(tenant, work, options));
    } catch (cause) {
      if (!ChargebackError.isInstance(cause)) throw cause;
      failures.push({ tenant: tenant.name, problem: problemFrom(cause) });
    }
  }
  if (options.json) context.stdout.write(`${JSON.stringify({ tenants: pruned, failures }, undefined, 2)}\n`);
  else {
    if (pruned.length > 0) context.stdout.write(render(pruned, options, context));
    const paint = paintFor(context.stderr);
    for (const { tenant, problem } of failures) {
      context.stderr.write(`${paint.bold(tenant)}\n${renderProblems([problem], paint)}`);
    }
  }
  return Math.max(0, ...failures.map(({ problem }) => ERROR_CODES[problem.code].exitCode));
}

interface Failure {
  readonly tenant: string;
  readonly problem: Problem;
}

function problemFrom(cause: ChargebackError): Problem {
  return makeProblem(cause.code, describeCause(cause), { severity: 'error', fix: cause.fix });
}

interface PruneWork {
  readonly keeps: string;
  readonly holder: string;
  readonly now: Date;
  readonly signal: AbortSignal;
}

async function pruneTenant(
  tenant: ConfiguredTenant,
  work: PruneWork,
  { dryRun }: PruneOptions,
): Promise<Pruned> {
  await assertDatabase(tenant);
  await using store = await tenant.openStore();
  const pruned = { tenant: tenant.name, keeps: work.keeps, ...(await store.countPrunable(work.keeps)) };
  if (!dryRun) await remove(tenant, store, work);
  return pruned;
}

async function remove({ name }: ConfiguredTenant, store: Store, work: PruneWork): Promise<void> {
  const other = await store.acquireLease({ holder: work.holder, now: work.now, seconds: LEASE_SECONDS });
  if (other) throw new ChargebackError('CB_STORAGE_LEASE', `a run works on ${name} right now`);
  try {
    while (await store.pruneOldestDay(work.keeps)) work.signal.throwIfAborted();
    await store.pruneRest(work.keeps);
  } finally {
    await store.releaseLease(work.holder);
  }
}

function render(pruned: readonly Pruned[], { dryRun }: PruneOptions, context: ProcessContext): string {
  const titles = ['Tenant', 'Keeps from', 'Days', 'Billing lines', 'Rows', 'Usage rows'];
  const columns = titles.map((title, index) => ({
    title,
    align: index < 2 ? ('left' as const) : ('right' as const),
  }));
  const rows = pruned.map(({ tenant, keeps, days, lines, rows: facts, usageRows }) => [
    tenant,
    keeps,
    ...[days, lines, facts, usageRows].map(String),
  ]);
  const verb = dryRun ? 'Would be removed; nothing was.' : 'Removed.';
  return `${renderTable(columns, rows)}${paintFor(context.stdout).bold(verb)}\n`;
}
