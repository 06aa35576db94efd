/** Kinds of columns, in both databases. */
export type ColumnKind = 'integer' | 'real' | 'text';

export interface CopiedTable {
  readonly name: string;
  /** In the order of this list rows are written. */
  readonly columns: readonly { readonly name: string; readonly kind: ColumnKind }[];
}

/** A value on its way: integers of 64 bits keep every digit. */
export type CopiedValue = bigint | number | string | null;

export type CopiedRows = readonly (readonly CopiedValue[])[];

/** Rows that are read and written at a time. */
export const ROWS_AT_A_TIME = 5000;

/** Every table that holds what a tenant knows, each after those it refers to. Leases are of processes. */
export const COPIED_TABLES = [
  'store_meta',
  'names',
  'resources',
  'identities',
  'doubted_identities',
  'date_states',
  'line_keys',
  'billing_lines',
  'line_attempts',
  'usage_coverage',
  'usage_rows',
  'calculated_lines',
  'line_portions',
  'dimension_groups',
  'dimensions',
  'chargeback_facts',
  'runs',
  'problems',
  'emissions',
  'tenant_state',
  'listing_counters',
  'date_revisions',
] as const;

/** A database that is read at one moment. */
export interface CopySource {
  /** The columns of a table as they are here. */
  table(name: string): Promise<CopiedTable>;
  rows(table: CopiedTable): AsyncIterable<CopiedRows>;
}

/** A database that is written in one transaction. */
export interface CopyTarget {
  /** Tables that hold something a new database does not; empty for a new one. */
  filled(): Promise<readonly string[]>;
  /** Removes what a new database holds by itself. */
  clear(): Promise<void>;
  write(table: CopiedTable, rows: CopiedRows): Promise<void>;
}
