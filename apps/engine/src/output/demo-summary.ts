import { formatUnits } from '@chargeback/money';
import type { TenantRun } from '@chargeback/engine';
import type { Window } from '@chargeback/plugin-api';
import type { ReconciliationRow, RowTotal, Store } from '@chargeback/storage';
import { totalsOf } from '../commands/reconcile.ts';
import { paintFor, percentText, readableAmount, renderTable } from './format.ts';
import { renderProblems } from './problems.ts';
import { reconciliationText } from './run-summary.ts';

export interface DemoResult {
  readonly runs: readonly TenantRun[];
  readonly store: Store;
  readonly window: Window;
  readonly folder: string;
  readonly displayFolder: string;
  readonly seconds: number;
}

interface DemoTotals {
  readonly byTeam: readonly RowTotal[];
  readonly byProduct: readonly RowTotal[];
  readonly byMethod: readonly RowTotal[];
  readonly reconciliation: readonly ReconciliationRow[];
}

/** Costs by team, by product, how they were allocated, and that they reconcile. */
export async function renderDemoSummary(result: DemoResult, stream: NodeJS.WriteStream): Promise<string> {
  const paint = paintFor(stream);
  const totals = await totalsFor(result);
  const [overall] = totals.reconciliation;
  const billed = overall?.billed ?? 0n;
  const currency = overall?.currency ?? '';
  const run = result.runs[0];
  const days = (result.window.end.getTime() - result.window.start.getTime()) / 86_400_000;
  const range = `${dayText(result.window.start)} to ${dayText(new Date(result.window.end.getTime() - 1))}`;
  const problems = result.runs.flatMap((tenant) => tenant.problems);
  return [
    `\n${paint.bold('Nordwind Logistics')}, a fictional company: ${days} days of its shared platform, ${range}\n\n`,
    section(paint.bold('Cost by team'), ['Team', 'Cost', 'Share'], shareRows(totals.byTeam, billed)),
    section(paint.bold('Cost by product'), ['Product', 'Cost', 'Share'], shareRows(totals.byProduct, billed)),
    section(
      paint.bold('How it was allocated'),
      ['Method', 'Because', 'Cost', 'Share'],
      totals.byMethod.map(({ key, units }) => [
        key[0] ?? '–',
        key[1] ?? '–',
        readableAmount(units),
        percentText(units, billed),
      ]),
    ),
    `${paint.bold('Does it add up?')}\n${totals.reconciliation.map((row) => `  ${reconciliationText(row, paint)}`).join('\n')}\n\n`,
    problems.length === 0 ? '' : `${paint.bold('Worth knowing')}\n${renderProblems(problems, paint)}\n`,
    `${paint.bold('To look at')}\n`,
    `  ${result.displayFolder}/csv            one CSV file a day, one a month\n`,
    `  ${result.displayFolder}/chargeback.db  the database (SQLite)\n`,
    `  ${result.displayFolder}/config.yaml    the configuration behind it\n\n`,
    `${run?.rowsWritten ?? 0} rows in ${currency}, calculated and written in ${result.seconds.toFixed(1)} s; amounts above are rounded for reading.\n`,
    `Bill a real Prometheus: npm start -- --config FILE\n`,
  ].join('');
}

function shareRows(totals: readonly RowTotal[], whole: bigint): string[][] {
  return totals.map(({ key, units }) => [key[0] ?? '–', readableAmount(units), percentText(units, whole)]);
}

function section(title: string, titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const numbers = new Set(['Cost', 'Share']);
  const columns = titles.map((name) => ({
    title: name,
    align: numbers.has(name) ? ('right' as const) : ('left' as const),
  }));
  const body = renderTable(columns, rows);
  return `${title}\n${body.replaceAll(/^/gm, '  ').trimEnd()}\n\n`;
}

async function totalsFor({ store, window }: DemoResult): Promise<DemoTotals> {
  return {
    byTeam: await totalsByTeam(store, window),
    byProduct: await store.totals(window, ['product_type']),
    byMethod: await store.totals(window, ['allocation_method', 'allocation_detail']),
    reconciliation: totalsOf(await store.reconcile(window, 'day')),
  };
}

async function totalsByTeam(store: Store, window: Window): Promise<RowTotal[]> {
  const byIdentity = await store.totals(window, ['identity_id']);
  const identities = await store.identities(byIdentity.map(({ key }) => key[0] ?? ''));
  const teams = new Map<string, RowTotal>();
  for (const total of byIdentity) {
    const team = identities.get(total.key[0] ?? '')?.metadata['team'];
    const name = typeof team === 'string' ? team : (total.key[0] ?? '–');
    const sum = teams.get(`${name} ${total.currency}`);
    teams.set(`${name} ${total.currency}`, {
      key: [name],
      currency: total.currency,
      units: (sum?.units ?? 0n) + total.units,
      rowCount: (sum?.rowCount ?? 0) + total.rowCount,
    });
  }
  return [...teams.values()].toSorted((left, right) => (left.units < right.units ? 1 : -1));
}

function dayText(instant: Date): string {
  return instant.toISOString().slice(0, 10);
}

/** The same for machines. */
export async function demoSummaryJson(result: DemoResult): Promise<string> {
  const totals = await totalsFor(result);
  return `${JSON.stringify(
    {
      folder: result.folder,
      rows: result.runs[0]?.rowsWritten ?? 0,
      by_team: totals.byTeam.map(jsonTotal),
      by_product: totals.byProduct.map(jsonTotal),
      by_method: totals.byMethod.map(jsonTotal),
      reconciliation: totals.reconciliation.map((row) => ({
        currency: row.currency,
        billed: formatUnits(row.billed),
        allocated: formatUnits(row.allocated),
        retained: formatUnits(row.retained),
        held: formatUnits(row.held),
        difference: formatUnits(row.difference),
      })),
    },
    undefined,
    2,
  )}\n`;
}

function jsonTotal({ key, units, currency }: RowTotal): object {
  return { key, amount: formatUnits(units), currency };
}
