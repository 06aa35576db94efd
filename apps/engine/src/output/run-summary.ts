import type { TenantRun } from '@chargeback/engine';
import type { ReconciliationRow } from '@chargeback/storage';
import { amountText } from './format.ts';
import type { Paint } from './paint.ts';
import { renderTable } from './render-table.ts';
import { renderProblems } from './problems.ts';

/** What a run did, for people. */
export function renderRuns(runs: readonly TenantRun[], paint: Paint): string {
  if (runs.length === 0) return 'No tenants are configured: there is nothing to do.\n';
  const rows = runs.map((run) => [
    run.tenant,
    run.status === 'completed' ? paint.good(run.status) : paint.bad(run.status),
    String(run.datesGathered),
    String(run.datesCalculated),
    String(run.datesUnchanged),
    run.datesHeld > 0 ? paint.warn(String(run.datesHeld)) : '0',
    String(run.rowsWritten),
    String(run.periodsEmitted),
    `${(run.milliseconds / 1000).toFixed(1)} s`,
  ]);
  const titles = [
    'Tenant',
    'Status',
    'Gathered',
    'Calculated',
    'Unchanged',
    'Held',
    'Rows',
    'Emitted',
    'Time',
  ];
  const columns = titles.map((title, index) => ({
    title,
    align: index < 2 ? ('left' as const) : ('right' as const),
  }));
  const blocks = runs
    .filter(({ problems }) => problems.length > 0)
    .map(({ tenant, problems }) => `\n${paint.bold(tenant)}\n${renderProblems(problems, paint)}`);
  return `${renderTable(columns, rows)}${blocks.join('')}${nothingToDo(runs)}`;
}

function nothingToDo(runs: readonly TenantRun[]): string {
  const idle = runs.every(
    (run) => run.status === 'completed' && run.datesCalculated === 0 && run.datesHeld === 0,
  );
  return idle ? '\nNothing changed: no date was calculated again.\n' : '';
}

/** A tenant's totals over the days of the run, one per currency. */
export interface TenantTotals {
  readonly tenant: string;
  readonly totals: readonly ReconciliationRow[];
}

/** What the days of a run come to, in money, and whether it adds up. */
export function renderTotals(tenants: readonly TenantTotals[], paint: Paint): string {
  const lines = tenants.flatMap(({ tenant, totals }) =>
    totals.map((total) => `${paint.bold(tenant)}: ${reconciliationText(total, paint)}`),
  );
  return lines.length === 0 ? '' : `\n${lines.join('\n')}\n`;
}

/** `billed 10.00 USD = allocated … + retained … + held …`, parts that are zero left out. */
export function reconciliationText(row: ReconciliationRow, paint: Paint): string {
  const parts = [`allocated ${amountText(row.allocated)}`];
  if (row.retained !== 0n) parts.push(`retained ${amountText(row.retained)}`);
  if (row.held !== 0n) parts.push(`held ${amountText(row.held)}`);
  const verdict =
    row.difference === 0n
      ? paint.good('✓ to the last digit')
      : paint.bad(`✗ off by ${amountText(row.difference)}`);
  return `billed ${amountText(row.billed)} ${row.currency} = ${parts.join(' + ')}  ${verdict}`;
}
