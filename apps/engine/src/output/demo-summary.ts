import type { TenantRun } from '@chargeback/engine';
import { formatUnits } from '@chargeback/money';
import { MILLISECONDS_PER_DAY, type Window } from '@chargeback/plugin-api';
import type { ReconciliationRow, RowDimension, RowTotal, Store } from '@chargeback/storage';
import { totalsOf } from '../commands/reconcile.ts';
import { type Paint, paintFor } from './paint.ts';
import { percentText, readableAmount } from './format.ts';
import { renderTable } from './render-table.ts';
import { renderProblems } from './problems.ts';
import { reconciliationText } from './run-summary.ts';

export interface DemoTenant {
  readonly run: TenantRun;
  readonly store: Store;
  readonly window: Window;
}

export interface DemoResult {
  readonly tenants: readonly DemoTenant[];
  readonly folder: string;
  readonly displayFolder: string;
  readonly seconds: number;
}

/** What a tenant of the demo is called, and what its tables show. */
interface Story {
  readonly company: string;
  readonly what: string;
  readonly bearer: string;
  readonly product: string;
  readonly productDimension: RowDimension;
}

const STORIES: Readonly<Record<string, Story>> = {
  nordwind: {
    company: 'Nordwind Logistics',
    what: 'its shared platform, by metrics and rates',
    bearer: 'Team',
    product: 'Product',
    productDimension: 'product_type',
  },
  lindqvist: {
    company: 'Lindqvist Outfitters',
    what: 'its Confluent Cloud bill',
    bearer: 'Account',
    product: 'Product',
    productDimension: 'product_category',
  },
};

interface DemoTotals {
  readonly byBearer: readonly RowTotal[];
  readonly byProduct: readonly RowTotal[];
  readonly byMethod: readonly RowTotal[];
  readonly reconciliation: readonly ReconciliationRow[];
}

/** Rows of a table before the rest is added up in one. */
const MOST_ROWS = 8;

/** For each tenant who bears its costs, what they are for, how they were allocated, and that they reconcile. */
export async function renderDemoSummary(result: DemoResult, stream: NodeJS.WriteStream): Promise<string> {
  const paint = paintFor(stream);
  const parts: string[] = [];
  for (const tenant of result.tenants) parts.push(await renderTenant(tenant, paint));
  const rows = result.tenants.reduce((sum, { run }) => sum + run.rowsWritten, 0);
  return [
    ...parts,
    `${paint.bold('To look at')}\n`,
    ...filesOf(result).map(([name, what]) => `  ${name}  ${what}\n`),
    '\n',
    `${rows} rows, calculated and written in ${result.seconds.toFixed(1)} s; amounts above are rounded for reading.\n`,
    `Bill what you really have: npm start -- --config FILE\n`,
  ].join('');
}

function filesOf({ displayFolder, tenants }: DemoResult): [string, string][] {
  const files: [string, string][] = [
    ['csv', 'a folder for each company: one CSV file a day, one a month'],
    ...tenants.map(({ run }): [string, string] => [
      `${run.tenant}.db`,
      `the database of ${storyOf(run).company} (SQLite)`,
    ]),
    ['config.yaml', 'the configuration behind it'],
  ];
  const widest = Math.max(...files.map(([name]) => name.length));
  return files.map(([name, what]) => [`${displayFolder}/${name.padEnd(widest)}`, what]);
}

async function renderTenant(tenant: DemoTenant, paint: Paint): Promise<string> {
  const { run, window } = tenant;
  const story = storyOf(run);
  const totals = await totalsFor(tenant);
  const billed = totals.reconciliation[0]?.billed ?? 0n;
  const days = (window.end.getTime() - window.start.getTime()) / MILLISECONDS_PER_DAY;
  const range = `${dayText(window.start)} to ${dayText(new Date(window.end.getTime() - 1))}`;
  const shares = (title: string, rows: readonly RowTotal[]): string =>
    section(paint.bold(`Cost by ${title.toLowerCase()}`), [title, 'Cost', 'Share'], shareRows(rows, billed));
  return [
    `\n${paint.bold(story.company)}, a fictional company: ${days} days of ${story.what}\n${paint.dim(range)}\n\n`,
    shares(story.bearer, totals.byBearer),
    shares(story.product, totals.byProduct),
    section(
      paint.bold('How it was allocated'),
      ['Method', 'Because', 'Cost', 'Share'],
      shareRows(totals.byMethod.map(explained), billed),
    ),
    `${paint.bold('Does it add up?')}\n${totals.reconciliation.map((row) => `  ${reconciliationText(row, paint)}`).join('\n')}\n\n`,
    run.problems.length === 0
      ? ''
      : `${paint.bold('Worth knowing')}\n${renderProblems(run.problems, paint)}\n`,
  ].join('');
}

function storyOf({ tenant }: TenantRun): Story {
  const story = STORIES[tenant];
  if (!story) throw new Error(`the demo has no tenant ${tenant}`);
  return story;
}

/** A rule that was not kept from doing what it is for gives no reason. */
function explained(total: RowTotal): RowTotal {
  const [method = null, detail] = total.key;
  return { ...total, key: [method, detail ?? 'as the rule of the product says'] };
}

/** The largest first; what is left when there are too many in one row. */
function shareRows(totals: readonly RowTotal[], whole: bigint): string[][] {
  const row = (key: readonly (string | null)[], units: bigint): string[] => [
    ...key.map((text) => text ?? '–'),
    readableAmount(units),
    percentText(units, whole),
  ];
  const shown = totals.length > MOST_ROWS + 1 ? totals.slice(0, MOST_ROWS) : totals;
  const rows = shown.map(({ key, units }) => row(key, units));
  const rest = totals.slice(shown.length);
  if (rest.length > 0) {
    const label = `… ${rest.length} more`;
    const key = (rest[0]?.key ?? []).map((_, index) => (index === 0 ? label : ''));
    rows.push(
      row(
        key,
        rest.reduce((sum, { units }) => sum + units, 0n),
      ),
    );
  }
  return rows;
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

async function totalsFor({ run, store, window }: DemoTenant): Promise<DemoTotals> {
  return {
    byBearer: await totalsByBearer(store, window),
    byProduct: await store.totals(window, [storyOf(run).productDimension]),
    byMethod: await store.totals(window, ['allocation_method', 'allocation_detail']),
    reconciliation: totalsOf(await store.reconcile(window, 'day')),
  };
}

/** By team, or by what an identity is called where it belongs to none. */
async function totalsByBearer(store: Store, window: Window): Promise<RowTotal[]> {
  const byIdentity = await store.totals(window, ['identity_id']);
  const identities = await store.identities(byIdentity.map(({ key }) => key[0] ?? ''));
  const bearers = new Map<string, RowTotal>();
  for (const total of byIdentity) {
    const id = total.key[0] ?? '–';
    const identity = identities.get(id);
    const team = identity?.metadata['team'];
    const name = typeof team === 'string' ? team : (identity?.displayName ?? id);
    const sum = bearers.get(`${name} ${total.currency}`);
    bearers.set(`${name} ${total.currency}`, {
      key: [name],
      currency: total.currency,
      units: (sum?.units ?? 0n) + total.units,
      rowCount: (sum?.rowCount ?? 0) + total.rowCount,
    });
  }
  return [...bearers.values()].toSorted((left, right) => (left.units < right.units ? 1 : -1));
}

function dayText(instant: Date): string {
  return instant.toISOString().slice(0, 10);
}

/** The same for machines, and whole. */
export async function demoSummaryJson(result: DemoResult): Promise<string> {
  const tenants: object[] = [];
  for (const tenant of result.tenants) {
    const totals = await totalsFor(tenant);
    const { productDimension, bearer } = storyOf(tenant.run);
    tenants.push({
      tenant: tenant.run.tenant,
      rows: tenant.run.rowsWritten,
      [`by_${bearer.toLowerCase()}`]: totals.byBearer.map(jsonTotal),
      [`by_${productDimension}`]: totals.byProduct.map(jsonTotal),
      by_method: totals.byMethod.map(jsonTotal),
      reconciliation: totals.reconciliation.map((row) => ({
        currency: row.currency,
        billed: formatUnits(row.billed),
        allocated: formatUnits(row.allocated),
        retained: formatUnits(row.retained),
        held: formatUnits(row.held),
        difference: formatUnits(row.difference),
      })),
      problems: tenant.run.problems,
    });
  }
  return `${JSON.stringify({ folder: result.folder, tenants }, undefined, 2)}\n`;
}

function jsonTotal({ key, units, currency }: RowTotal): object {
  return { key, amount: formatUnits(units), currency };
}
