import path from 'node:path';
import { formatMoney } from '@chargeback/money';
import { testEcosystem } from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { linesOf, readBill } from './bill.ts';
import { register } from './index.ts';

const window = { start: new Date('2026-02-01T00:00:00Z'), end: new Date('2026-02-03T00:00:00Z') };

testEcosystem({ describe, it }, register, {
  world: () => ({
    window,
    settings: { bill_file: 'bill.csv', requests_file: 'requests.csv' },
    host: { resolvePath: (file) => path.join(import.meta.dirname, file) },
  }),
});

describe('the bill of the object store', () => {
  it('is quantity times unit price', () => {
    const rows = readBill(
      'day,bucket,owner,product,quantity,unit_price\n2026-02-01,media,shop,STORAGE,91000,0.0008',
    );
    expect(linesOf(rows, window, 'EUR').map(({ totalCost }) => formatMoney(totalCost))).toEqual(['72.8000']);
  });

  it('refuses what it does not understand', () => {
    expect(() => readBill('day,bucket\n2026-02-01,media')).toThrow(/are wanted/);
  });
});
