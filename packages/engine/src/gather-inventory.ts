import {
  describeCause,
  type IdentityBatch,
  makeProblem,
  type Problem,
  type ResourceBatch,
} from '@chargeback/plugin-api';
import { rethrowFatal } from './rethrow-fatal.ts';
import type { TenantContext } from './tenant-context.ts';

/** Stores what the source lists, and ends what it no longer does. A listing that fails ends nothing. */
export async function gatherInventory(context: TenantContext, problems: Problem[]): Promise<void> {
  const { ecosystem, store, signal, window } = context;
  const seenAt = context.clock();
  context.onProgress({ tenant: context.name, stage: 'inventory', done: 0, total: 1, date: null });
  if (ecosystem.resources) {
    const save = (batch: ResourceBatch) => store.saveResources(batch, seenAt);
    const batches = ecosystem.resources(window, signal);
    await gatherListing(context, { kind: 'resource', batches, save, problems, seenAt });
  }
  if (ecosystem.identities) {
    const save = async (batch: IdentityBatch) => {
      await store.saveIdentities(batch, seenAt);
      if (batch.mentioned) await store.observeIdentities(batch.mentioned, window.start);
    };
    const batches = ecosystem.identities(window, signal);
    await gatherListing(context, { kind: 'identity', batches, save, problems, seenAt });
  }
  context.onProgress({ tenant: context.name, stage: 'inventory', done: 1, total: 1, date: null });
}

interface Listing<Batch> {
  readonly kind: 'resource' | 'identity';
  readonly batches: AsyncIterable<Batch>;
  readonly save: (batch: Batch) => Promise<void>;
  readonly problems: Problem[];
  readonly seenAt: Date;
}

async function gatherListing<Batch extends ResourceBatch | IdentityBatch>(
  context: TenantContext,
  { kind, batches, save, problems, seenAt }: Listing<Batch>,
): Promise<void> {
  const what = kind === 'resource' ? 'resources' : 'identities';
  const types = new Set<string>();
  let settled = false;
  try {
    for await (const batch of batches) {
      await save(batch);
      for (const type of batch.authoritativeFor) types.add(type);
      if ('settled' in batch && batch.settled) settled = true;
      problems.push(...(batch.problems ?? []));
    }
    // Only now: a type may be listed in several batches.
    const emptyThreshold = settled ? 0 : context.limits.emptyListingThreshold;
    const listed = { kind, types: [...types], everyType: settled, seenAt, emptyThreshold };
    const { doubted } = await context.store.deleteUnlisted(listed);
    for (const type of doubted) problems.push(emptyProblem(what, type, emptyThreshold));
  } catch (cause) {
    rethrowFatal(context, cause);
    const message = `${what} could not be listed: ${describeCause(cause)}`;
    problems.push(makeProblem('CB_INVENTORY_GATHER', message, { severity: 'error', path: what }));
  }
}

function emptyProblem(what: string, type: string, threshold: number): Problem {
  const belief = threshold < 0 ? 'it is not believed' : `it is believed after ${threshold} times in a row`;
  const message = `the listing of ${what} names no ${type} although some are known; ${belief}`;
  return makeProblem('CB_INVENTORY_EMPTY', message, { path: type });
}
