import { retentionStart } from '@chargeback/engine';
import { ChargebackError } from '@chargeback/plugin-api';
import type { PruneCounts, Store } from '@chargeback/storage';
import { createHost } from '../host.ts';
import { paintFor, renderTable } from '../output/format.ts';
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

/** `chargeback prune`: removes what is older than `retention_days`, as every run does at its end. */
export async function pruneCommand(
  options: PruneOptions,
  context: ProcessContext,
  signal: AbortSignal,
): Promise<number> {
  const session = await openSession(options, context);
  const { definitions } = await configureTenants(session, { only: options.tenant, importCode: false });
  const host = createHost({ configDirectory: session.loaded.directory });
  const pruned: Pruned[] = [];
  for (const tenant of definitions) {
    await assertDatabase(tenant);
    const keeps = retentionStart(host.clock(), tenant.config.retention_days);
    await using store = await tenant.openStore();
    pruned.push({ tenant: tenant.name, keeps, ...(await store.countPrunable(keeps)) });
    if (options.dryRun) continue;
    await remove(tenant, store, { keeps, holder: host.newId(), now: host.clock(), signal });
  }
  context.stdout.write(
    options.json
      ? `${JSON.stringify({ tenants: pruned }, undefined, 2)}\n`
      : render(pruned, options, context),
  );
  return 0;
}

async function remove(
  { name }: ConfiguredTenant,
  store: Store,
  work: { keeps: string; holder: string; now: Date; signal: AbortSignal },
): Promise<void> {
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
