import { ChargebackError } from '@chargeback/plugin-api';
import type { Store } from '@chargeback/storage';
import type { RunOptions } from './tenant-definition.ts';

/** How long a lease lasts. A process that dies holds its tenants up no longer than this. */
export const LEASE_SECONDS = 120;
const RENEWALS_PER_LEASE = 4;
/** How long code that was told to stop is waited for. */
export const GRACE_MILLISECONDS = 10_000;

/** Why a run was ended by the engine itself. */
export type EndedBecause = 'timed_out' | 'lease_lost' | null;

export interface BoundedRun {
  readonly options: RunOptions;
  readonly store: Store;
  /** 0: no limit. */
  readonly timeoutSeconds: number;
}

/**
 * Does the work under a signal that also aborts when the time is over or another process takes the tenant, and
 * keeps the lease alive meanwhile. Ends when the work has ended: nothing goes on behind it.
 */
export async function withinLimits(
  bounded: BoundedRun,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<EndedBecause> {
  const { options, timeoutSeconds } = bounded;
  const over = new AbortController();
  const ended = new AbortController();
  let because: EndedBecause = null;
  const end = (why: EndedBecause, error: Error): void => {
    because ??= why;
    over.abort(error);
  };
  const watchers = [
    keepLease(bounded, ended.signal, () => end('lease_lost', leaseLost())),
    timeoutSeconds > 0
      ? after(bounded, ended.signal, () =>
          end('timed_out', new ChargebackError('CB_RUN_TIMEOUT', timeOver(bounded))),
        )
      : Promise.resolve(),
  ];
  const signal = AbortSignal.any([options.signal, over.signal]);
  try {
    await orAbandoned(options, ended.signal, { signal, work: work(signal) });
  } finally {
    ended.abort();
    await Promise.all(watchers);
  }
  return because;
}

/** Code that does not heed its signal is left behind after a grace; without the lease it can write nothing. */
async function orAbandoned(
  { wait }: RunOptions,
  ended: AbortSignal,
  { signal, work }: { signal: AbortSignal; work: Promise<void> },
): Promise<void> {
  const abandoned = new Promise<never>((_resolve, reject) => {
    const abandon = (): void => {
      wait(GRACE_MILLISECONDS, ended).then(
        () => reject(signal.reason),
        () => {},
      );
    };
    // A signal that has aborted tells nobody who listens later.
    if (signal.aborted) abandon();
    else signal.addEventListener('abort', abandon, { once: true });
  });
  await Promise.race([work, abandoned]);
}

export function timeOver({ timeoutSeconds }: Pick<BoundedRun, 'timeoutSeconds'>): string {
  return `the run took longer than tenant_execution_timeout_seconds (${timeoutSeconds}); what was committed stays`;
}

function leaseLost(): ChargebackError {
  return new ChargebackError('CB_STORAGE_LEASE', 'another process has taken over this tenant');
}

async function after(
  { options, timeoutSeconds }: BoundedRun,
  ended: AbortSignal,
  then: () => void,
): Promise<void> {
  if (await slept(options, timeoutSeconds * 1000, ended)) then();
}

async function keepLease(
  { options, store }: BoundedRun,
  ended: AbortSignal,
  lost: () => void,
): Promise<void> {
  const pause = (LEASE_SECONDS * 1000) / RENEWALS_PER_LEASE;
  while (await slept(options, pause, ended)) {
    try {
      await store.renewLease(options.host.clock());
    } catch (cause) {
      if (ChargebackError.isInstance(cause) && cause.code === 'CB_STORAGE_LEASE') return lost();
      // A database that is busy for a moment is asked again; each write checks the lease itself.
    }
  }
}

/** False when the run ended first. */
async function slept({ wait }: RunOptions, milliseconds: number, ended: AbortSignal): Promise<boolean> {
  try {
    await wait(milliseconds, ended);
    return !ended.aborted;
  } catch {
    return false;
  }
}
