import { makeIdentities } from './make-identities.ts';
import { makePlatform } from './make-platform.ts';
import { makeTraffic } from './make-traffic.ts';
import type { ConfluentOrganization } from './organization.ts';
import { type ConfluentOrganizationOptions, shapeOf } from './organization-shape.ts';
import { uuidOf } from './vendor-ids.ts';

/**
 * An organisation that has everything the vendor bills for: all 29 line types, accounts that come and go, keys
 * without owner, connectors whose credentials are masked or gone. The same options always give the same
 * organisation. Throws RangeError.
 */
export function confluentOrganization(options: ConfluentOrganizationOptions): ConfluentOrganization {
  const shape = shapeOf(options);
  const identities = makeIdentities(shape);
  const platform = makePlatform(shape, identities);
  const { keys, traffic } = makeTraffic(shape, { identities, platform });
  const { accounts: serviceAccounts, ...otherIdentities } = identities;
  return {
    id: uuidOf(shape.seed, 'organization'),
    seed: shape.seed,
    window: shape.window,
    ...platform,
    ...otherIdentities,
    serviceAccounts,
    apiKeys: keys,
    traffic,
  };
}
