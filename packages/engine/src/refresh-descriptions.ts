import type { Identity, Metadata } from '@chargeback/plugin-api';
import { canonicalJson } from './fingerprint.ts';
import type { TenantContext } from './tenant-context.ts';

/** The last instant there is. */
const END_OF_TIME = new Date(8_640_000_000_000_000);

/**
 * Describes names known from metrics anew, so that a team mapping that changed shows without gathering again.
 * Identities that a listing knows keep what the listing says.
 */
export async function refreshDescriptions(context: TenantContext): Promise<void> {
  const describe = context.ecosystem.identityFromUsage?.bind(context.ecosystem);
  if (!describe) return;
  // Whoever is known from later on only may yet be seen within the window.
  const { start } = context.window;
  const { identities } = await context.store.loadInventory({ start, end: END_OF_TIME });
  const changed: Identity[] = [];
  for (const known of identities.values()) {
    if (known.createdAt === null) continue;
    const described = describe(known.identityId);
    if (!isSameDescription(described, known)) changed.push(described);
  }
  if (changed.length > 0) await context.store.describeIdentities(changed);
}

function isSameDescription(one: Identity, other: Identity): boolean {
  return (
    one.identityType === other.identityType &&
    one.displayName === other.displayName &&
    ((isEmpty(one.metadata) && isEmpty(other.metadata)) ||
      canonicalJson(one.metadata) === canonicalJson(other.metadata))
  );
}

function isEmpty(metadata: Metadata): boolean {
  return Object.keys(metadata).length === 0;
}
