import { lineIdOf } from './cost-lines.ts';
import type { CostRow } from './cost-row.ts';
import type { RowProblems } from './row-problems.ts';

/**
 * Looks at rows that share an id. The same row twice (pages that moved while they were read) counts once. Two
 * versions of one row (the same line and tier, with anything else that differs) hold the day: which one counts is
 * not ours to guess. Rows of different lines or tiers are different rows, whatever their ids say.
 */
export function setAsideDuplicates(rows: readonly CostRow[], problems: RowProblems): CostRow[] {
  const byId = new Map<string, CostRow[]>();
  return rows.filter((row) => {
    if (row.id === null) return true;
    const before = byId.get(row.id);
    if (!before) {
      byId.set(row.id, [row]);
      return true;
    }
    const { id, start: date } = row;
    const text = contentOf(row);
    if (before.some((other) => contentOf(other) === text)) {
      const message = `row ${id} was sent twice and counts once`;
      problems.add('CB_BILLING_DUPLICATE', message, { severity: 'warning', date });
      return false;
    }
    if (before.some((other) => tierOf(other) === tierOf(row))) {
      const message = `row ${id} was sent with two contents`;
      problems.add('CB_BILLING_DUPLICATE', message, { severity: 'error', date });
    } else {
      const message = `row id ${id} names different rows; all count`;
      problems.add('CB_BILLING_DUPLICATE', message, { severity: 'warning', date });
    }
    before.push(row);
    return true;
  });
}

function contentOf(row: CostRow): string {
  const { end, amountSource, quantity, price, details } = row;
  return JSON.stringify([tierOf(row), end, amountSource, quantity, price, details]);
}

/**
 * What makes a row a row of its own: its line and its tier. A price, a description or a network type that differs
 * does not: that is how a row looks that was restated while its pages were read.
 */
function tierOf(row: CostRow): string {
  return JSON.stringify([lineIdOf(row), row.details['tier_dimensions'] ?? null]);
}
