import type { Ecosystem, Logger, PluginSettingsBase, Problem, Window } from '@chargeback/plugin-api';
import type { Store } from '@chargeback/storage';
import type { ProgressListener } from './progress.ts';
import type { Wiring } from './wiring.ts';

/** What the stages of one tenant's run share. */
export interface TenantContext {
  /** Name of the tenant in the configuration. */
  readonly name: string;
  readonly ecosystemName: string;
  readonly tenantId: string;
  readonly settings: PluginSettingsBase;
  /** Tries before a line whose inputs are incomplete, or whose allocator fails, is settled without them. */
  readonly allocationRetryLimit: number;
  readonly window: Window;
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
  /** Everything worth knowing that went wrong in this run. */
  readonly problems: Problem[];
}
