import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { createInitialSchema } from './initial-schema.ts';
import { type SchemaDialect, Tables } from './schema-tables.ts';

/** Forward only, in order of name; a name that was released never changes its content. */
export function migrations(dialect: SchemaDialect): Record<string, Migration> {
  return {
    '0001-initial': { up: (database: Kysely<unknown>) => createInitialSchema(new Tables(database, dialect)) },
  };
}
