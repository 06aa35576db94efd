import { type Identity, type IsoDate, startOfDay } from '@chargeback/plugin-api';
import { canonicalJson } from './fingerprint.ts';
import type { TenantContext } from './tenant-context.ts';

/** Names seen in the metrics become identities that exist from the first day they were seen. */
export async function observeIdentities(
  context: TenantContext,
  firstSeen: ReadonlyMap<string, IsoDate>,
): Promise<void> {
  const describe = context.ecosystem.identityFromUsage?.bind(context.ecosystem);
  if (!describe) return;
  await save(
    context,
    [...firstSeen].map(([identityId, date]) => ({ identity: describe(identityId), since: startOfDay(date) })),
  );
}

/**
 * Describes known names anew, so that a team mapping that changed shows without gathering again. Identities
 * that a listing knows keep what the listing says.
 */
export async function refreshDescriptions(context: TenantContext): Promise<void> {
  const describe = context.ecosystem.identityFromUsage?.bind(context.ecosystem);
  if (!describe) return;
  const { identities } = await context.store.loadInventory(context.window);
  const changed: Observation[] = [];
  for (const known of identities.values()) {
    if (known.createdAt === null) continue;
    const identity = describe(known.identityId);
    if (descriptionOf(identity) !== descriptionOf(known)) changed.push({ identity, since: known.createdAt });
  }
  await save(context, changed);
}

interface Observation {
  readonly identity: Identity;
  readonly since: Date;
}

async function save(context: TenantContext, observations: readonly Observation[]): Promise<void> {
  const bySince = new Map<number, Identity[]>();
  for (const { identity, since } of observations) {
    const identities = bySince.get(since.getTime());
    if (identities) identities.push(identity);
    else bySince.set(since.getTime(), [identity]);
  }
  for (const [since, identities] of bySince)
    await context.store.observeIdentities(identities, new Date(since));
}

function descriptionOf({ identityType, displayName, metadata }: Identity): string {
  return canonicalJson([identityType, displayName, metadata]);
}
