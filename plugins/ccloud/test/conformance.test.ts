import {
  confluentOrganization,
  createConfluentFetch,
  type EcosystemWorld,
  testEcosystem,
} from '@chargeback/testkit';
import { describe, it } from 'vitest';
import { register } from '../src/index.ts';

const NOW = new Date('2026-02-18T06:00:00Z');

/** A small organization with late, corrected and withdrawn rows, as its simulator makes them. */
function world(): EcosystemWorld {
  const organization = confluentOrganization({
    clusters: 2,
    serviceAccounts: 10,
    days: 10,
    endDate: new Date('2026-02-18T00:00:00Z'),
  });
  const fetch = createConfluentFetch({ organization, clock: () => NOW });
  return {
    window: { start: new Date('2026-02-10T00:00:00Z'), end: new Date('2026-02-13T00:00:00Z') },
    now: NOW,
    fetch,
    settings: {
      ccloud_api: { key: 'KEY', secret: 'SECRET' },
      metrics: { url: 'http://cloud.test.invalid/prometheus' },
      skip_listings: ['flink_statement'],
    },
  };
}

testEcosystem({ describe, it }, register, { world });
