import { ChargebackError } from '@chargeback/plugin-api';
import { parseConnectionString } from '../connection-string.ts';
import { postgresDriver, sqliteDriver } from '../load-driver.ts';
import type { Owner } from '../migrations.ts';
import { openStore } from '../open-store.ts';
import { type StoragePlace, storageStatus, type StorageStatus } from '../storage-status.ts';
import { compareStores } from './compare-stores.ts';
import { COPIED_TABLES, type CopySource, type CopyTarget } from './tables.ts';

export interface CopyTenantOptions {
  /** Connection strings. */
  readonly from: string;
  readonly to: string;
  readonly tenantId: string;
  /** Folder that relative paths start from. */
  readonly workingDirectory: string;
  readonly signal: AbortSignal;
  /** Called as rows of a table arrive. */
  readonly onProgress: (table: string, rows: number) => void;
}

export interface CopyReport {
  readonly from: string;
  readonly to: string;
  readonly owner: Owner;
  readonly rowsByTable: ReadonlyMap<string, number>;
  /** Days that were compared on both sides. */
  readonly days: number;
}

/**
 * Copies a tenant into an empty database, in one transaction there and with a bounded number of rows in memory,
 * and then compares what both databases say. The database copied from is not changed.
 * @throws {ChargebackError} `CB_STORAGE_COPY`, `CB_STORAGE_OWNER` for another tenant's database, and what
 *   `openStore` throws.
 */
export async function copyTenant(options: CopyTenantOptions): Promise<CopyReport> {
  const { workingDirectory, tenantId } = options;
  const from: StoragePlace = { connectionString: options.from, workingDirectory };
  const to: StoragePlace = { connectionString: options.to, workingDirectory };
  const [source, target] = [await storageStatus(from), await storageStatus(to)];
  const owner = ownerOf(source, tenantId);
  if (source.place === target.place) fail(`both are ${source.place}`, 'Name two databases.');
  const rowsByTable = await copyRows({ from, to }, owner, options);
  await using left = await openStore({ ...from, ...owner });
  await using right = await openStore({ ...to, ...owner });
  const { days, differences } = await compareStores(left, right, options.signal);
  if (differences.length > 0) {
    const what = differences.slice(0, 5).join('; ');
    fail(
      `${source.place} and ${target.place} differ: ${what}`,
      'Let no process work on the tenant meanwhile, empty the database copied to, and copy again.',
    );
  }
  return { from: source.place, to: target.place, owner, rowsByTable, days };
}

function fail(message: string, fix: string): never {
  throw new ChargebackError('CB_STORAGE_COPY', message, { fix });
}

function ownerOf({ owner, pending, place }: StorageStatus, tenantId: string): Owner {
  if (owner === null) return fail(`${place} holds no tenant`, 'Name the database of a tenant in --from.');
  if (owner.tenantId !== tenantId) {
    const message = `${place} belongs to tenant ${owner.tenantId} of ${owner.ecosystem}, not to tenant ${tenantId}`;
    throw new ChargebackError('CB_STORAGE_OWNER', message, {
      fix: 'Name the tenant_id that the database belongs to.',
    });
  }
  if (pending.length > 0) {
    return fail(`${place} has an older schema`, 'Run `chargeback storage migrate` on it first.');
  }
  return owner;
}

async function copyRows(
  { from, to }: { readonly from: StoragePlace; readonly to: StoragePlace },
  owner: Owner,
  options: CopyTenantOptions,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  await reading(from, owner, (source) =>
    writing(to, owner, async (target) => {
      const filled = await target.filled();
      if (filled.length > 0) {
        fail(
          `the database copied to is not empty: it has ${filled.join(', ')}`,
          'Copy into an empty database.',
        );
      }
      await target.clear();
      for (const name of COPIED_TABLES) counts.set(name, await copyTable(name, { source, target }, options));
    }),
  );
  return counts;
}

async function copyTable(
  name: string,
  { source, target }: { readonly source: CopySource; readonly target: CopyTarget },
  { signal, onProgress }: CopyTenantOptions,
): Promise<number> {
  const table = await source.table(name);
  let count = 0;
  for await (const rows of source.rows(table)) {
    signal.throwIfAborted();
    await target.write(table, rows);
    count += rows.length;
    onProgress(name, count);
  }
  return count;
}

async function reading(
  place: StoragePlace,
  owner: Owner,
  work: (source: CopySource) => Promise<void>,
): Promise<void> {
  const location = parseConnectionString(place.connectionString, place.workingDirectory);
  if (location.dialect === 'postgres') {
    const { openPostgres, readSchema } = await postgresDriver();
    return readSchema(await openPostgres(location, owner), work);
  }
  const { openSqlite, readFile } = await sqliteDriver();
  return readFile(await openSqlite(location.path, owner), work);
}

async function writing(
  place: StoragePlace,
  owner: Owner,
  work: (target: CopyTarget) => Promise<void>,
): Promise<void> {
  const location = parseConnectionString(place.connectionString, place.workingDirectory);
  if (location.dialect === 'postgres') {
    const { openPostgres, writeSchema } = await postgresDriver();
    return writeSchema(await openPostgres(location, owner), work);
  }
  const { openSqlite, writeFile } = await sqliteDriver();
  return writeFile(await openSqlite(location.path, owner), work);
}
