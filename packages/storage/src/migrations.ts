import { ChargebackError, describeCause } from '@chargeback/plugin-api';
import { sql } from 'kysely';
import { createInitialSchema } from './initial-schema.ts';
import type { Tables } from './schema-tables.ts';

/** Who a database belongs to. */
export interface Owner {
  readonly ecosystem: string;
  readonly tenantId: string;
}

/** One step of the schema, for every database. */
export interface Migration {
  readonly name: string;
  readonly up: (tables: Tables) => Promise<void>;
}

/** Forward only, in order of name; a name that was released never changes its content. */
export const MIGRATIONS: readonly Migration[] = [
  { name: '0001-initial', up: createInitialSchema },
  { name: '0002-marks-and-pruning', up: addMarksAndPruning },
  { name: '0003-other-batches', up: addOtherBatches },
  { name: '0004-doubted-sightings', up: addDoubtedSightings },
];

/** What an emitter recognizes its batch by, and up to which day retention has removed. */
async function addMarksAndPruning(tables: Tables): Promise<void> {
  await tables.addColumn('emissions', 'mark', 'text');
  await tables.addColumn('tenant_state', 'pruned_before', 'integer');
}

/** What may be at an emitter's destination besides the last batch that succeeded. */
async function addOtherBatches(tables: Tables): Promise<void> {
  await tables.addColumn('emissions', 'others', 'text');
}

/**
 * Names whose sighting was corrected, until it is looked up who still was seen; and since when listings mention
 * whom they do not list. What is known from before counts as mentioned: nobody can say what it rests on.
 */
async function addDoubtedSightings(tables: Tables): Promise<void> {
  await tables.create('doubted_identities', { identity_id: 'text!' }, { primaryKey: ['identity_id'] });
  await tables.addColumn('identities', 'mentioned_since', 'integer');
  await sql`update identities set mentioned_since = created_at where observed = 1`.execute(tables.database);
}

/** Names of the migrations that a database has. */
export const MIGRATION_TABLE = 'kysely_migration';

/**
 * The migrations that a database lacks.
 * @throws {ChargebackError} `CB_STORAGE_VERSION` when it has one that this program does not know.
 */
export function pendingMigrations(
  executed: readonly string[],
  known: readonly Migration[],
  place: string,
): Migration[] {
  const unknown = executed.filter((name) => !known.some((migration) => migration.name === name));
  if (unknown.length > 0) {
    const message = `${place} has schema ${unknown.at(-1)}, newer than ${known.at(-1)?.name} of this version`;
    throw new ChargebackError('CB_STORAGE_VERSION', message, { path: place });
  }
  return known.filter(({ name }) => !executed.includes(name));
}

/**
 * Runs migrations in the order given. Must run inside one transaction that the caller began: when one fails,
 * none of them is kept and the former version of the program goes on working.
 * @throws {ChargebackError} `CB_STORAGE_MIGRATION` naming the one that failed.
 */
export async function runMigrations(
  tables: Tables,
  pending: readonly Migration[],
  place: string,
): Promise<void> {
  const { database } = tables;
  await sql`create table if not exists ${sql.table(MIGRATION_TABLE)} (
    name varchar(255) not null primary key, timestamp varchar(255) not null)`.execute(database);
  for (const { name, up } of pending) {
    try {
      await up(tables);
      await sql`insert into ${sql.table(MIGRATION_TABLE)} (name, timestamp)
        values (${name}, cast(current_timestamp as varchar(255)))`.execute(database);
    } catch (cause) {
      throw new ChargebackError(
        'CB_STORAGE_MIGRATION',
        `${place}: migration ${name} failed: ${describeCause(cause)}`,
        { path: place, cause },
      );
    }
  }
}

/** @throws {ChargebackError} `CB_STORAGE_OWNER` when the database belongs to somebody else. */
export function assertOwner(
  stored: { readonly ecosystem: string; readonly tenant_id: string },
  { ecosystem, tenantId }: Owner,
  place: string,
): void {
  if (stored.ecosystem === ecosystem && stored.tenant_id === tenantId) return;
  throw new ChargebackError(
    'CB_STORAGE_OWNER',
    `${place} belongs to tenant ${stored.tenant_id} of ${stored.ecosystem}, not to tenant ${tenantId} of ${ecosystem}`,
    { path: place },
  );
}

/** @throws {ChargebackError} `CB_STORAGE_OPEN`. */
export function refuseForeign(place: string): never {
  throw new ChargebackError('CB_STORAGE_OPEN', `${place} is a database of another program`, {
    path: place,
    fix: 'Name another database in storage.connection_string; this one is left as it is.',
  });
}
