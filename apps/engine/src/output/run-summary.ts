import type { TenantRun } from '@chargeback/engine';
import { type Paint, renderTable } from './format.ts';
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
