import type { CostRow } from './cost-row.ts';
import type { RowProblems } from './row-problems.ts';

/**
 * Looks at rows that share an id. The same row twice (pages that moved while they were read) counts once. Two
 * versions of one row (the same line and tier with other figures) hold the day: which one counts is not ours
 * to guess. Rows of different lines or tiers are different rows, whatever their ids say.
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
  return JSON.stringify([tierOf(row), row.amountSource, row.quantity, row.details]);
}

/** What makes a row a row of its own: its line and its tier. */
function tierOf(row: CostRow): string {
  const { start, end, environmentId, resourceId, resourceName, product, lineType, price, details } = row;
  const { tier_dimensions: tier = null, network_access_type: network = null, description = null } = details;
  const line = [start, end, environmentId, resourceId ?? [resourceName], product, lineType];
  return JSON.stringify([...line, price, tier, network, description]);
}
