import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { money } from '@chargeback/money';
import type { ChargebackRow } from '@chargeback/plugin-api';
import * as fc from 'fast-check';
import Papa from 'papaparse';
import { describe, expect, it } from 'vitest';
import { createCsvEmitter, CSV_COLUMNS, csvParamsSchema } from '../src/index.ts';
import { batch, never, row, temporaryFolder } from './support.ts';

const HEADER =
  'ecosystem,tenant_id,timestamp,resource_id,product_category,product_type,identity_id,cost_type,amount,allocation_method,allocation_detail';

async function textOf(...chunks: (readonly ChargebackRow[])[]): Promise<string> {
  await using folder = await temporaryFolder();
  const emitter = createCsvEmitter(csvParamsSchema.parse({ output_dir: folder.path }));
  await emitter.emit(batch(chunks), never);
  return await readFile(path.join(folder.path, 'acme_2026-02-01.csv'), 'utf8');
}

describe('the text of a CSV file', () => {
  it('has the columns of the existing product, in its order, with CRLF and ISO timestamps with offset', async () => {
    expect(await textOf([row()])).toBe(
      `${HEADER}\r\ngeneric-metrics,acme,2026-02-01T00:00:00+00:00,cluster-1,network,NETWORK_IN,team-a,USAGE,1.0500,usage_ratio,USAGE_RATIO_ALLOCATION\r\n`,
    );
    expect(CSV_COLUMNS.join(',')).toBe(HEADER);
  });

  it('leaves null cells empty', async () => {
    const nulls = row({ resourceId: null, allocationMethod: null, allocationDetail: null });
    expect((await textOf([nulls])).split('\r\n')[1]).toBe(
      'generic-metrics,acme,2026-02-01T00:00:00+00:00,,network,NETWORK_IN,team-a,USAGE,1.0500,,',
    );
  });

  it('is a header alone when there are no rows', async () => {
    expect(await textOf()).toBe(`${HEADER}\r\n`);
    expect(await textOf([])).toBe(`${HEADER}\r\n`);
  });

  it('writes every decimal an amount has, at least four, and no exponent', async () => {
    const units = [0n, 1n, -1n, 3_000n, 1_234_500_000_000n, -99_999_999n, 2n ** 53n - 1n, -(2n ** 53n)];
    const amounts = [...units, 2n ** 63n - 1n].map((one) => row({ amount: money(one, 'USD') }));
    const cells = Papa.parse<string[]>(await textOf(amounts)).data.map((line) => line[8]);
    expect(cells.slice(1, 10)).toEqual([
      '0.0000',
      '0.00000001',
      '-0.00000001',
      '0.00003',
      '12345.0000',
      '-0.99999999',
      '90071992.54740991',
      '-90071992.54740992',
      '92233720368.54775807',
    ]);
  });

  it('quotes only cells that need it', async () => {
    const text = await textOf([row({ identityId: 'Smith, "Bob"\nteam', resourceId: 'ümläut ☃' })]);
    expect(text).toContain(',ümläut ☃,');
    expect(text).toContain(',"Smith, ""Bob""\nteam",');
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1'])(
    'puts an apostrophe before %j so that no spreadsheet runs it',
    async (formula) => {
      const [, cells] = Papa.parse<string[]>(
        await textOf([row({ identityId: formula, resourceId: formula })]),
      ).data;
      expect(cells![6]).toBe(`'${formula}`);
      expect(cells![3]).toBe(`'${formula}`);
    },
  );

  it('keeps a negative amount a number', async () => {
    const text = await textOf([row({ amount: money(-333_340_000n, 'USD') })]);
    expect(text).toContain(',USAGE,-3.3334,');
  });

  it('gives the cells back when it is read as CSV', async () => {
    const name = fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replaceAll('\uFEFF', ''));
    const cell = fc.oneof(
      name,
      fc.constantFrom('', ' ', 'a,b', '"', '""', '\r\n', '=1', '-', "'x", 'a "b"', ' x '),
    );
    const rows = fc.array(
      fc.record({
        identityId: cell,
        resourceId: fc.option(cell),
        productType: cell,
        units: fc.bigInt(-(10n ** 15n), 10n ** 15n),
      }),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 7 }), async (records, chunkSize) => {
        const all = records.map(({ units, ...rest }) => row({ ...rest, amount: money(units, 'USD') }));
        const chunks = [];
        for (let start = 0; start < all.length; start += chunkSize)
          chunks.push(all.slice(start, start + chunkSize));
        const parsed = Papa.parse<string[]>(await textOf(...chunks), { newline: '\r\n', delimiter: ',' });
        expect(parsed.errors).toEqual([]);
        const lines = parsed.data.slice(1, -1);
        expect(lines.map((cells) => [cells[3], cells[5], cells[6]])).toEqual(
          records.map((record) =>
            [record.resourceId ?? '', record.productType, record.identityId].map(guarded),
          ),
        );
        expect(
          lines.map((cells) => BigInt(cells[8]!.replace(/\.(\d+)$/, (_, d: string) => d.padEnd(8, '0')))),
        ).toEqual(records.map(({ units }) => units));
      }),
      { numRuns: 300 },
    );
  });
});

/** Written from the rule, not from the code: the six leading characters get an apostrophe. */
function guarded(text: string): string {
  return ['=', '+', '-', '@', '\t', '\r'].includes(text.slice(0, 1)) ? `'${text}` : text;
}
