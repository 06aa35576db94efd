import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { formatMoney } from '@chargeback/money';
import { testEcosystem } from '@chargeback/testkit';
import { linesOf, rowsOf } from '../src/bill.ts';
import { register } from '../src/index.ts';

const window = { start: new Date('2026-02-01T00:00:00Z'), end: new Date('2026-02-04T00:00:00Z') };

// Everything that the engine expects of an ecosystem.
testEcosystem({ describe, it }, register, {
  world: () => ({
    window,
    settings: { bill_file: 'bill.csv' },
    host: { resolvePath: (file) => path.join(import.meta.dirname, '..', file) },
  }),
});

describe('the bill of __NAME__', () => {
  const rows = rowsOf(
    'day,resource,owner,product,quantity,unit_price\n2026-02-02,server-1,team-a,COMPUTE,24,0.50',
  );

  it('is exact', () => {
    const [line] = linesOf(rows, window, 'USD');
    assert.equal(formatMoney(line!.totalCost), '12.0000');
  });

  it('refuses a row that it does not understand', () => {
    assert.throws(() => rowsOf('header\n2026-02-02,server-1'), /row 2 of the bill/);
  });
});
