import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chargeback, filesIn, parseCsv, repository, temporaryFolder, unitsOf } from './support.ts';

/** What each identity bears of each product on one day of the object store, in units of 10⁻⁸. */
type Day = Record<string, Record<string, bigint>>;

const euro = (text_: string): bigint => unitsOf(text_);

/** 4200 and 91000 GiB × 0.0008 to their owners, 15000 × 0.0008 to nobody; 12.5 × 0.40 by 70 : 25 : 5; 9.99 by two. */
const PLAIN: Day = {
  STORAGE: { finance: euro('3.36'), shop: euro('72.80'), UNALLOCATED: euro('12') },
  REQUESTS: { 'svc-checkout': euro('3.5'), 'svc-search': euro('1.25'), 'svc-reports': euro('0.25') },
  SUPPORT: { finance: euro('4.995'), shop: euro('4.995') },
};

describe('the examples of own code', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());

  const run = (config: string, env: Record<string, string> = {}) =>
    chargeback(['run', '--config', `examples/${config}/config.yaml`], {
      cwd: repository,
      env: {
        DATABASE: `sqlite:///${path.join(folder.path, 'example.db')}`,
        OUTPUT: path.join(folder.path, 'out'),
        ...env,
      },
    });

  const lastDay = async (): Promise<Day> => {
    const files = Object.values(await filesIn(path.join(folder.path, 'out')));
    const day: Day = {};
    for (const { productType, identity, amount } of parseCsv(files.at(-1)!)) {
      (day[productType] ??= {})[identity] = unitsOf(amount);
    }
    return day;
  };

  it.each<[string, Day]>([
    ['plugins/object-store', PLAIN],
    // 9.99 by 3 : 1, each rounded half-up to 0.0001; what that is too much is taken from the first.
    ['weighted-team', { ...PLAIN, SUPPORT: { finance: euro('7.4925'), shop: euro('2.4975') } }],
    ['directory-resolver', { ...PLAIN, REQUESTS: { ada: euro('3.5'), grace: euro('1.5') } }],
  ])('%s bills what its README says', async (config, expected) => {
    const result = await run(config);
    expect(result.exitCode, result.stdout + result.stderr).toBe(0);
    expect(await lastDay()).toEqual(expected);
  });

  it('webhook-emitter sends each day once, to an address of its own', async () => {
    const received = new Map<string, { rows: { amount: string; currency: string }[] }>();
    const server = createServer((request, response) => {
      const keep = async (): Promise<void> => {
        received.set(`${request.method} ${request.url}`, JSON.parse(await text(request)) as { rows: [] });
        response.writeHead(204).end();
      };
      void keep();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const port = (server.address() as AddressInfo).port;
      const result = await run('webhook-emitter', { WEBHOOK_URL: `http://127.0.0.1:${port}/billing` });
      expect(result.exitCode, result.stdout + result.stderr).toBe(0);
    } finally {
      server.close();
    }
    expect([...received.keys()].every((key) => /^PUT \/billing\/store\/\d{4}-\d\d-\d\d$/.test(key))).toBe(
      true,
    );
    for (const { rows } of received.values()) {
      const total = rows.reduce((sum, { amount }) => sum + unitsOf(amount), 0n);
      expect(total).toBe(euro('103.15'));
    }
    expect(received.size).toBeGreaterThanOrEqual(3);
  });
});
