import type { Owner } from './migrations.ts';

/** What a database says of itself. */
export interface Inspection {
  /** Migrations that were run. */
  readonly executed: readonly string[];
  /** Null when nobody has opened it yet. */
  readonly owner: Owner | null;
}
