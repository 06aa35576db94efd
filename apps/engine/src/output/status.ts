import type { IsoDate } from '@chargeback/plugin-api';
import type { DateState, RunRecord } from '@chargeback/storage';
import { amountText, dateRanges } from './format.ts';
import type { Paint } from './paint.ts';
import { renderTable } from './render-table.ts';
import { renderProblems } from './problems.ts';
import type { TenantStatus } from './tenant-status.ts';

const REVISIONS_SHOWN = 5;

/** Where a tenant stands, for people. */
export function renderStatus(status: TenantStatus, now: Date, paint: Paint): string {
  const title = `${paint.bold(status.tenant)}${status.ecosystem === '' ? '' : ` (${status.ecosystem})`}\n`;
  if (status.unavailable) {
    const { severity, message, fix } = status.unavailable;
    const mark = severity === 'error' ? paint.bad('✗') : paint.warn('!');
    return `${title}  ${mark} ${message}\n    ${paint.dim(fix)}\n`;
  }
  const parts = [
    title,
    ...dateLines(status.dates, paint),
    ...nowLines(status, now, paint),
    runTable(status.runs, paint),
    revisionTable(status, paint),
  ];
  if (status.problems.length > 0) parts.push(`\n${renderProblems(status.problems, paint)}`);
  return parts.join('');
}

function dateLines(dates: readonly DateState[], paint: Paint): string[] {
  if (dates.length === 0) return [`  ${paint.warn('!')} no day of the lookback has inputs\n`];
  const of = (state: DateState['state']): IsoDate[] =>
    dates.filter((date) => date.state === state).map(({ date }) => date);
  const [calculated, held, gathered] = [of('calculated'), of('held'), of('gathered')];
  const lines = [`  ${paint.good('✓')} ${calculated.length} calculated: ${dateRanges(calculated)}\n`];
  if (calculated.length === 0) lines.pop();
  if (held.length > 0) lines.push(`  ${paint.warn('!')} ${held.length} held: ${dateRanges(held)}\n`);
  if (gathered.length > 0) {
    lines.push(`  ${paint.warn('!')} ${gathered.length} to be calculated: ${dateRanges(gathered)}\n`);
  }
  return lines;
}

function nowLines({ state, lease }: TenantStatus, now: Date, paint: Paint): string[] {
  const lines: string[] = [];
  if (state?.suspendedAt) {
    lines.push(
      `  ${paint.bad('✗')} suspended since ${instant(state.suspendedAt)}: ${state.suspendedBecause ?? ''}\n`,
    );
  } else if (state && state.gatherFailures > 0) {
    lines.push(`  ${paint.warn('!')} ${state.gatherFailures} gather(s) in a row brought nothing\n`);
  }
  if (lease && lease.expiresAt > now) lines.push(`  a run is going on since ${instant(lease.acquiredAt)}\n`);
  if (state?.nextRunAt) lines.push(`  next run: ${instant(state.nextRunAt)}\n`);
  return lines;
}

function runTable(runs: readonly RunRecord[], paint: Paint): string {
  if (runs.length === 0) return '';
  const titles = ['Last runs', 'Status', 'Gathered', 'Calculated', 'Held', 'Rows', 'Stages'];
  const columns = titles.map((title, index) => ({
    title,
    align: index < 2 || index === 6 ? ('left' as const) : ('right' as const),
  }));
  const rows = runs.map((run) => [
    instant(run.startedAt),
    run.status === 'completed' ? paint.good(run.status) : paint.warn(run.status),
    ...[run.datesGathered, run.datesCalculated, run.datesHeld, run.rowsWritten].map(String),
    stagesText(run),
  ]);
  return `\n${indent(renderTable(columns, rows))}`;
}

function stagesText({ stages }: RunRecord): string {
  return Object.entries(stages)
    .map(([stage, milliseconds]) => `${stage} ${(milliseconds / 1000).toFixed(1)} s`)
    .join(', ');
}

function revisionTable({ revisions }: TenantStatus, paint: Paint): string {
  if (revisions.length === 0) return '';
  const columns = ['Restated day', 'When', 'Billed before', 'Billed after', 'Why'].map((title, index) => ({
    title,
    align: index === 2 || index === 3 ? ('right' as const) : ('left' as const),
  }));
  const rows = revisions
    .slice(0, REVISIONS_SHOWN)
    .map(({ date, revisedAt, before, after, currency, reason }) => [
      date,
      instant(revisedAt),
      `${amountText(before.billed)} ${currency}`,
      `${amountText(after.billed)} ${currency}`,
      reason,
    ]);
  const more = revisions.length - rows.length;
  const rest = more > 0 ? `  ${paint.dim(`and ${more} more; --json lists them all`)}\n` : '';
  return `\n${indent(renderTable(columns, rows))}${rest}`;
}

function instant(when: Date): string {
  return `${when.toISOString().slice(0, 16).replace('T', ' ')}Z`;
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
