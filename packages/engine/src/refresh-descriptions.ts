import type { Identity } from '@chargeback/plugin-api';
import { canonicalJson } from './fingerprint.ts';
import type { TenantContext } from './tenant-context.ts';

/**
 * Describes names known from metrics anew, so that a team mapping that changed shows without gathering again.
 * Identities that a listing knows keep what the listing says.
 */
export async function refreshDescriptions(context: TenantContext): Promise<void> {
  const describe = context.ecosystem.identityFromUsage?.bind(context.ecosystem);
  if (!describe) return;
  const { identities } = await context.store.loadInventory(context.window);
  const changed: Identity[] = [];
  for (const known of identities.values()) {
    if (known.createdAt === null) continue;
    const described = describe(known.identityId);
    if (descriptionOf(described) !== descriptionOf(known)) changed.push(described);
  }
  if (changed.length > 0) await context.store.describeIdentities(changed);
}

function descriptionOf({ identityType, displayName, metadata }: Identity): string {
  return canonicalJson([identityType, displayName, metadata]);
}
