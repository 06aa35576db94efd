import type {
  EcosystemPlugin,
  Logger,
  PluginHost,
  PluginSettingsBase,
  Problem,
  Window,
} from '@chargeback/plugin-api';
import type { RunStatus, Store } from '@chargeback/storage';
import type { ConfiguredEmitter } from './configured-emitter.ts';
import type { TenantOverrides } from './overrides/tenant-overrides.ts';
import type { ProgressListener } from './progress.ts';

/** What bounds one tenant's runs; the tenant's own settings of the same names. */
export interface TenantLimits {
  /** Tries before a line whose inputs are incomplete, or whose allocator fails, is settled without them. */
  readonly allocationRetryLimit: number;
  /** Runs in a row that could gather nothing, after which the tenant is suspended. */
  readonly gatherFailureThreshold: number;
  /** Empty listings in a row after which what they should list counts as deleted; -1: never. */
  readonly emptyListingThreshold: number;
  /** Longest run in seconds; 0: no limit. */
  readonly timeoutSeconds: number;
  /** Days that are kept, and looked at. */
  readonly retentionDays: number;
  /** Seconds after which a suspended tenant is tried again by itself; null: only when somebody resumes it. */
  readonly resumeAfterSeconds: number | null;
}

/** The limits of a tenant that names none. */
export const DEFAULT_LIMITS: TenantLimits = {
  allocationRetryLimit: 3,
  gatherFailureThreshold: 5,
  emptyListingThreshold: -1,
  timeoutSeconds: 3600,
  retentionDays: 250,
  resumeAfterSeconds: null,
};

/** One tenant, fully configured. */
export interface TenantDefinition {
  readonly name: string;
  readonly tenantId: string;
  readonly plugin: EcosystemPlugin;
  /** As parsed by the plugin's schema. */
  readonly settings: PluginSettingsBase;
  readonly limits: TenantLimits;
  /** Days that the tenant's own runs look back, whatever days somebody asks for; default: those of the run. */
  readonly lookbackDays?: number;
  /** What the configuration puts in the place of the plugin's own resolvers and allocators. */
  readonly overrides?: TenantOverrides;
  /** The plugin did not come with the application. */
  readonly thirdParty?: boolean;
  readonly openStore: () => Promise<Store>;
  readonly makeEmitters: () => readonly ConfiguredEmitter[];
}

/** Tells processes apart, so that the lease of one that is known to be dead need not expire first. */
export interface ProcessRegistry {
  /** Names this process on this machine; without a space. */
  readonly own: string;
  /** Whether the process that a lease names is surely dead. */
  readonly isGone: (holder: string) => boolean;
}

export interface RunOptions {
  readonly window: Window;
  /** Ask the source again also for what is complete. */
  readonly regather: boolean;
  /** Calculate every day of the window anew, with fresh tries, whatever its fingerprint says. */
  readonly recalculate?: boolean;
  /** Leave what failed alone until its back-off is over, as a service does; somebody who asks is not made to wait. */
  readonly patient?: boolean;
  /** Everything a plugin may use of the outside world, but for what the engine adds per tenant. */
  readonly host: Omit<PluginHost, 'signal' | 'tenantId' | 'logger'>;
  /** Resolves after the delay, rejects when the signal aborts: for the limits of a run, not for plugins. */
  readonly wait: PluginHost['sleep'];
  /** Milliseconds since any moment, by a clock that nobody sets: for the limits of a run and its timings. */
  readonly elapsed: () => number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly processes?: ProcessRegistry;
  readonly onProgress: ProgressListener;
  /** Makes a unique id. */
  readonly newId: () => string;
}

/** What a run did. */
export interface RunCounts {
  readonly datesGathered: number;
  readonly datesCalculated: number;
  readonly datesUnchanged: number;
  readonly datesHeld: number;
  readonly rowsWritten: number;
  readonly periodsEmitted: number;
  readonly daysPruned: number;
}

export const NOTHING_DONE: RunCounts = {
  datesGathered: 0,
  datesCalculated: 0,
  datesUnchanged: 0,
  datesHeld: 0,
  rowsWritten: 0,
  periodsEmitted: 0,
  daysPruned: 0,
};

/** How one tenant's run ended. Problems of severity `error` will be retried at the next run. */
export interface TenantRun extends RunCounts {
  readonly tenant: string;
  readonly runId: string;
  readonly status: RunStatus;
  readonly problems: readonly Problem[];
  readonly milliseconds: number;
  /** Milliseconds by stage. */
  readonly stages: Readonly<Record<string, number>>;
}

/** The run of a tenant that could not begin. */
export function failedRun(tenant: string, problem: Problem): TenantRun {
  return {
    tenant,
    runId: '',
    status: 'failed',
    ...NOTHING_DONE,
    problems: [problem],
    milliseconds: 0,
    stages: {},
  };
}
