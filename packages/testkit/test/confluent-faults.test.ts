import { type ConfluentFault, to, withField } from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { cloud, costsPath, listAll, small } from './confluent-fixture.ts';

const organization = small();
const COSTS = costsPath('2026-06-01', '2026-06-02', '&page_size=5');

function faulty(...faults: ConfluentFault[]) {
  return cloud({ organization, faults });
}

async function textOf(response: Response): Promise<string> {
  return await response.text();
}

describe('faults of the simulated Confluent Cloud', () => {
  it('storms with 429 for some requests and then heals', async () => {
    const { ask } = faulty({
      times: 3,
      effect: { kind: 'status', status: 429, retryAfter: 7, headers: { 'x-ratelimit-reset': '9' } },
    });
    for (let time = 0; time < 3; time += 1) {
      const { status, headers } = await ask('/iam/v2/users');
      expect([status, headers.get('retry-after'), headers.get('x-ratelimit-reset')]).toEqual([429, '7', '9']);
    }
    expect((await ask('/iam/v2/users')).status).toBe(200);
  });

  it('writes a date into Retry-After when it is given one', async () => {
    const date = new Date('2026-07-01T00:00:30Z');
    const { ask } = faulty({ effect: { kind: 'status', status: 503, retryAfter: date } });
    expect((await ask('/iam/v2/users')).headers.get('retry-after')).toBe('Wed, 01 Jul 2026 00:00:30 GMT');
  });

  it('forbids one interface and leaves the others alone, in the form of the vendor', async () => {
    const { ask } = faulty({ when: to('ksqldb_clusters'), effect: { kind: 'status', status: 403 } });
    const { id } = organization.environments[0]!;
    const forbidden = await ask(`/ksqldbcm/v2/clusters?environment=${id}`);
    expect(forbidden.status).toBe(403);
    expect(await forbidden.json()).toMatchObject({ errors: [{ status: '403' }] });
    expect((await ask(`/cmk/v2/clusters?environment=${id}`)).status).toBe(200);
  });

  it('lets credentials expire in the middle', async () => {
    const { ask } = faulty({ after: 2, effect: { kind: 'status', status: 401 } });
    const statuses = [];
    for (let time = 0; time < 4; time += 1) statuses.push((await ask('/iam/v2/users')).status);
    expect(statuses).toEqual([200, 200, 401, 401]);
  });

  it('links a page to itself', async () => {
    const { ask } = faulty({ when: to('costs'), effect: { kind: 'repeated_page' } });
    const first = JSON.parse(await textOf(await ask(COSTS))) as {
      data: unknown[];
      metadata: { next: string };
    };
    const second = JSON.parse(await textOf(await ask(first.metadata.next))) as typeof first;
    expect(second.data).toEqual(first.data);
    expect(second.metadata.next).toBe(first.metadata.next);
  });

  it('links to another server', async () => {
    const { ask } = faulty({ effect: { kind: 'foreign_link', origin: 'https://elsewhere.invalid' } });
    const page = JSON.parse(await textOf(await ask(COSTS))) as { metadata: { next: string } };
    expect(new URL(page.metadata.next).origin).toBe('https://elsewhere.invalid');
  });

  it('cuts an answer off, breaks a connection, comes late', async () => {
    const { ask, fetch } = faulty(
      { times: 1, effect: { kind: 'truncated' } },
      { after: 1, times: 1, effect: { kind: 'reset' } },
    );
    const half = await textOf(await ask('/iam/v2/users'));
    expect(() => JSON.parse(half) as unknown).toThrow(SyntaxError);
    await expect(ask('/iam/v2/users')).rejects.toThrow('fetch failed');
    fetch.setFaults([{ effect: { kind: 'delay', milliseconds: 60_000 } }]);
    const patience = AbortSignal.timeout(20);
    await expect(ask('/iam/v2/users', { signal: patience })).rejects.toThrow(/timeout|aborted/i);
    expect(fetch.requests.map(({ status }) => status)).toEqual([200, 0, 200]);
  });

  it.each(['NaN', '"abc"', 'null', '1e-12', '1e15', '123.45000000000000000001'])(
    'sends a row with the amount %s as it stands',
    async (amount) => {
      const change = (json: string, index: number): string =>
        index === 2 ? withField(json, 'amount', amount) : json;
      const { ask } = faulty({ when: to('costs'), effect: { kind: 'items', change } });
      const text = await textOf(await ask(COSTS));
      expect(text).toContain(`"amount":${amount}`);
      const clean = await textOf(await cloud({ organization }).ask(COSTS));
      expect(text.match(/"amount":/g)).toHaveLength(clean.match(/"amount":/g)!.length);
    },
  );

  it('sends rows that say less, twice, or not at all', async () => {
    const change = (json: string, index: number): string | string[] => {
      if (index === 0) return withField(json, 'product', undefined);
      if (index === 1) return [json, json];
      return index === 2 ? [] : json;
    };
    const { ask } = faulty({ when: to('costs'), effect: { kind: 'items', change } });
    const clean = await listAll(cloud({ organization }).ask, COSTS.replace('=5', '=5000'));
    const rows = await listAll(ask, COSTS.replace('=5', '=5000'));
    expect(rows[0]).not.toHaveProperty('product');
    expect(rows[1]).toEqual(rows[2]);
    expect(rows.slice(3)).toEqual(clean.slice(3));
  });
});

describe('withField', () => {
  it('changes one field and keeps the source of every other number', () => {
    const row = '{"price":0.10,"amount":5.520,"quantity":240,"resource":{"id":"lkc-1"}}';
    expect(withField(row, 'amount', 'NaN')).toBe(
      '{"price":0.10,"amount":NaN,"quantity":240,"resource":{"id":"lkc-1"}}',
    );
    expect(withField(row, 'start_date', '"2026-06-30"')).toContain('"price":0.10');
    expect(withField(row, 'price', undefined)).toBe(
      '{"amount":5.520,"quantity":240,"resource":{"id":"lkc-1"}}',
    );
  });
});
