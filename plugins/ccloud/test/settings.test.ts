import { describe, expect, it } from 'vitest';
import { register } from '../src/index.ts';

const { settings: schema, ecosystem, aliases } = register();
const API = { key: 'KEY', secret: 'SECRET' };

/** Paths and messages of what is wrong. */
function complaintsOf(settings: Readonly<Record<string, unknown>>): string[] {
  const parsed = schema.safeParse({ ccloud_api: API, ...settings });
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the settings of Confluent Cloud', () => {
  it('need only a key and its secret', () => {
    expect([ecosystem, aliases]).toEqual(['ccloud', ['confluent_cloud']]);
    expect(schema.parse({ ccloud_api: API })).toMatchObject({
      ccloud_api: { base_url: 'https://api.confluent.cloud', max_attempts: 6, timeout_seconds: 30 },
      billing_api: { days_per_query: 15 },
      currency: 'USD',
      flink: [],
      metrics: null,
      skip_listings: [],
    });
    expect(complaintsOf({ ccloud_api: {} })).toHaveLength(2);
  });

  it('read the keys of the existing product', () => {
    const parsed = {
      billing_api: { days_per_query: 30 },
      metrics: { type: 'prometheus', url: 'http://prometheus:9090', auth_type: 'none' },
      flink: [{ region_id: 'us-east-1', key: 'k', secret: 's' }],
      allocator_params: { kafka_cku_usage_ratio: 0.6, kafka_cku_shared_ratio: 0.4 },
      min_refresh_gap_seconds: 60,
    };
    expect(complaintsOf(parsed)).toEqual([]);
    expect(complaintsOf({ metrics: { url: 'http://prometheus:9090' } })).toEqual([]);
  });

  it.each([
    [{ billing_api: { days_per_query: 0 } }, 'billing_api.days_per_query'],
    [{ billing_api: { days_per_query: 31 } }, 'billing_api.days_per_query'],
    [{ ccloud_api: { ...API, base_url: 'https://key:secret@host' } }, 'ccloud_api.base_url'],
    [{ ccloud_api: { ...API, base_url: 'ftp://host' } }, 'ccloud_api.base_url'],
    [{ ccloud_api: { ...API, secret: 'with\nline end' } }, 'ccloud_api.secret'],
    [{ ccloud_api: { ...API, key: 'with:colon' } }, 'ccloud_api.key'],
    [{ currency: 'dollars' }, 'currency'],
    [{ skip_listings: ['environment'] }, 'skip_listings.0'],
    [{ allocator_params: { kafka_cku_usage_ratio: 0.6 } }, 'allocator_params'],
    [{ allocator_params: { kafka_cku_usage_ratio: 'most' } }, 'allocator_params'],
    [
      {
        flink: [
          { region_id: 'us-east-1', key: 'k', secret: 's' },
          { region_id: 'US-EAST-1', key: 'k', secret: 's' },
        ],
      },
      'flink.1.region_id',
    ],
    [{ billing: {} }, ''],
  ])('refuse %j at %s', (settings, path) => {
    const complaints = complaintsOf(settings);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]!.startsWith(`${path}: `)).toBe(true);
  });

  it('never repeat a secret', () => {
    const secret = 'canary with spaces';
    expect(complaintsOf({ ccloud_api: { key: 'KEY', secret } }).join(' ')).not.toContain('canary');
  });
});
