import type { Ecosystem, IsoDate, Logger, PluginSettingsBase, Problem, Window } from '@chargeback/plugin-api';
import type { Store } from '@chargeback/storage';
import type { TenantLimits } from './tenant-definition.ts';
import type { ProgressListener } from './progress.ts';
import type { Wiring } from './wiring.ts';

/** What the stages of one tenant's run share. */
export interface TenantContext {
  /** Name of the tenant in the configuration. */
  readonly name: string;
  readonly ecosystemName: string;
  readonly tenantId: string;
  readonly settings: PluginSettingsBase;
  readonly limits: TenantLimits;
  readonly window: Window;
  /** Days before it are looked at by no run any more, unless somebody asks for them. */
  readonly lookbackStart: Date;
  /** The first day that retention keeps. */
  readonly retentionStart: IsoDate;
  readonly runId: string;
  readonly store: Store;
  readonly ecosystem: Ecosystem;
  readonly wiring: Wiring;
  readonly logger: Logger;
  readonly clock: () => Date;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
  /** Digest of the settings that decide what is gathered. */
  readonly gatherFingerprint: string;
  /** Digest of the settings and versions that decide how lines are allocated. */
  readonly allocationFingerprint: string;
  /** Ask the source again also for days that are complete. */
  readonly regather: boolean;
  /** Calculate also days whose fingerprint has not changed. */
  readonly recalculate: boolean;
  /** What failed waits until its back-off is over. */
  readonly patient: boolean;
  /** Everything worth knowing that went wrong in this run. */
  readonly problems: Problem[];
}
