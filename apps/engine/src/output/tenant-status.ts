import type { Problem, Window } from '@chargeback/plugin-api';
import type { DateRevision, DateState, Lease, RunRecord, TenantState } from '@chargeback/storage';

/** Where one tenant stands. */
export interface TenantStatus {
  readonly tenant: string;
  readonly ecosystem: string;
  /** Why nothing can be said: no database yet, or one that cannot be opened. */
  readonly unavailable: Problem | null;
  readonly window: Window | null;
  readonly dates: readonly DateState[];
  readonly state: TenantState | null;
  readonly lease: Lease | null;
  readonly problems: readonly Problem[];
  readonly runs: readonly RunRecord[];
  readonly revisions: readonly DateRevision[];
}
