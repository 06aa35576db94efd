import type { TenantContext } from './tenant-context.ts';

/**
 * Forgets whom only usage named that has been replaced because it was a mistake, such as the names behind a wrong label:
 * they bear nothing of later days any more. Outages and retention replace nothing, so they end nobody.
 */
export async function reviewSightings({ store, wiring, logger }: TenantContext): Promise<void> {
  const things = wiring.usageQueries.filter(({ namesIdentities }) => namesIdentities === false);
  const { removed, moved } = await store.reviewSightings(things.map(({ key }) => key));
  if (removed + moved > 0) logger.info({ removed, moved }, 'names that corrected usage no longer names');
}
