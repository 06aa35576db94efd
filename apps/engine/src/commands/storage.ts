import { ChargebackError, describeCause } from '@chargeback/plugin-api';
import { copyTenant, storageStatus, type StorageStatus } from '@chargeback/storage';
import { paintFor } from '../output/paint.ts';
import { renderTable } from '../output/render-table.ts';
import { type ConfigOptions, openSession, type ProcessContext } from '../session.ts';
import { configureTenants, type ConfiguredTenant } from '../tenants.ts';

export interface StorageOptions extends ConfigOptions {
  readonly tenant?: string;
  readonly json?: boolean;
}

interface Row extends Pick<StorageStatus, 'dialect' | 'place' | 'executed' | 'pending'> {
  readonly tenant: string;
  readonly problem: string | null;
}

/** `chargeback storage status`: which schema each tenant's database has. Changes nothing. */
export async function showStorage(options: StorageOptions, context: ProcessContext): Promise<number> {
  const rows: Row[] = [];
  for (const tenant of await tenantsOf(options, context)) rows.push(await rowOf(tenant));
  show(rows, options, context);
  return rows.some(({ problem }) => problem !== null) ? 1 : 0;
}

/** `chargeback storage migrate`: brings each tenant's database up to date, as its next run would. */
export async function migrateStorage(options: StorageOptions, context: ProcessContext): Promise<number> {
  const rows: Row[] = [];
  for (const tenant of await tenantsOf(options, context)) {
    try {
      await (await tenant.openStore())[Symbol.asyncDispose]();
      rows.push(await rowOf(tenant));
    } catch (cause) {
      rows.push({ ...nothingOf(tenant), problem: problemText(cause) });
    }
  }
  show(rows, options, context);
  return rows.some(({ problem }) => problem !== null) ? 1 : 0;
}

async function tenantsOf(
  options: StorageOptions,
  context: ProcessContext,
): Promise<readonly ConfiguredTenant[]> {
  const session = await openSession(options, context);
  const { definitions, unavailable } = await configureTenants(session, {
    only: options.tenant,
    importCode: false,
  });
  for (const { name, problem } of unavailable) context.stderr.write(`${name}: ${problem.message}\n`);
  return definitions;
}

async function rowOf(tenant: ConfiguredTenant): Promise<Row> {
  try {
    const { dialect, place, executed, pending } = await storageStatus(tenant.storage);
    return { tenant: tenant.name, dialect, place, executed, pending, problem: null };
  } catch (cause) {
    return { ...nothingOf(tenant), problem: problemText(cause) };
  }
}

function nothingOf({ name, database, dialect }: ConfiguredTenant): Omit<Row, 'problem'> {
  return { tenant: name, dialect, place: database, executed: [], pending: [] };
}

function problemText(cause: unknown): string {
  if (!ChargebackError.isInstance(cause)) throw cause;
  return `${cause.code} ${describeCause(cause)} ${cause.fix}`;
}

function show(rows: readonly Row[], { json }: StorageOptions, { stdout }: ProcessContext): void {
  if (json) {
    stdout.write(`${JSON.stringify({ tenants: rows }, undefined, 2)}\n`);
    return;
  }
  const paint = paintFor(stdout);
  const columns = ['Tenant', 'Database', 'Schema', 'Pending'].map((title) => ({
    title,
    align: 'left' as const,
  }));
  const cells = rows.map(({ tenant, place, executed, pending }) => [
    tenant,
    place,
    executed.at(-1) ?? 'none yet',
    pending.join(', ') || 'nothing',
  ]);
  stdout.write(renderTable(columns, cells));
  for (const { tenant, problem } of rows) {
    if (problem !== null) stdout.write(`${paint.bad('✗')} ${tenant}: ${problem}\n`);
  }
}

export interface StorageCopyOptions {
  readonly from: string;
  readonly to: string;
  readonly tenant: string;
  readonly json?: boolean;
}

/** `chargeback storage copy`: moves a tenant to another database and compares both. */
export async function copyStorage(
  { from, to, tenant, json }: StorageCopyOptions,
  context: ProcessContext,
  signal: AbortSignal,
): Promise<number> {
  const report = await copyTenant({
    from,
    to,
    tenantId: tenant,
    workingDirectory: context.cwd(),
    signal,
    onProgress: () => {},
  });
  const rows = [...report.rowsByTable];
  if (json) {
    const body = { ...report, rowsByTable: Object.fromEntries(rows) };
    context.stdout.write(`${JSON.stringify(body, undefined, 2)}\n`);
    return 0;
  }
  const paint = paintFor(context.stdout);
  const columns = [
    { title: 'Table', align: 'left' as const },
    { title: 'Rows', align: 'right' as const },
  ];
  context.stdout.write(
    renderTable(
      columns,
      rows.map(([table, count]) => [table, String(count)]),
    ),
  );
  context.stdout.write(
    `${paint.good('✓')} ${report.days} days compared: inputs, rows and reconciliation are the same on both sides.\n` +
      `  ${report.from} is unchanged. Write the new database into storage.connection_string.\n`,
  );
  return 0;
}
