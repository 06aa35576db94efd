import {
  type BillingBatch,
  type BillingLineItem,
  daysOf,
  type IsoDate,
  type Problem,
  type Window,
} from '@chargeback/plugin-api';
import {
  type ConstructedLine,
  constructLine,
  type DailyTotal,
  fetchDailyTotals,
  type PrometheusClient,
  type ScrapeCoverage,
} from '@chargeback/prometheus';
import { type Product, PRODUCT_CATEGORY, PRODUCTS } from './products.ts';
import type { Queries } from './queries.ts';
import type { Settings } from './settings.ts';
import { rateOn, termsOn } from './terms.ts';

export interface BillRequest {
  readonly client: PrometheusClient;
  readonly queries: Queries;
  /** Says when all brokers were scraped. */
  readonly scrapes: ScrapeCoverage;
  readonly window: Window;
  readonly signal: AbortSignal;
}

/** Constructs the bill of a window: four lines for each day, whether or not metrics answered. */
export async function constructBill(settings: Settings, request: BillRequest): Promise<BillingBatch> {
  const measured = await Promise.all(
    Object.values(PRODUCTS).map(async (product) => ({
      product,
      days: await measure(settings, product, request),
      measuredBy: definitionOf(settings, product, request.queries),
    })),
  );
  const lines: BillingLineItem[] = [];
  const problems: Problem[] = [];
  for (const date of daysOf(request.window)) {
    for (const { product, days, measuredBy } of measured) {
      const constructed = lineOf(settings, product, { date, day: days.get(date), measuredBy });
      lines.push(constructed.line);
      problems.push(...constructed.problems);
    }
  }
  return { window: request.window, lines, problems: onceEach(problems) };
}

/** The days' totals (increases) or means (gauge) of a product's query; none for what is fixed. */
async function measure(
  settings: Settings,
  { query: key, quantity }: Product,
  { client, queries, scrapes, window, signal }: BillRequest,
): Promise<ReadonlyMap<IsoDate, DailyTotal>> {
  const days = new Map<IsoDate, DailyTotal>();
  if (key === null) return days;
  const stepSeconds = settings.metrics_step_seconds;
  const query = {
    key,
    expression: () => queries.text(key, stepSeconds),
    stepSeconds,
    reduce: quantity === 'moved' ? ('sum' as const) : ('mean' as const),
    quiet: queries.isQuiet(key),
  };
  const bridge = quantity === 'moved' ? queries.bridge(key, stepSeconds) : null;
  const asked = bridge ? { ...query, bridge } : query;
  const range = { window, signal, scrapes };
  for await (const day of fetchDailyTotals(client, asked, range)) days.set(day.date, day);
  return days;
}

/** What is said of the scrapes of a day is said of every product. */
function onceEach(problems: readonly Problem[]): Problem[] {
  return [
    ...new Map(problems.map((one) => [`${one.code}\u0000${one.date}\u0000${one.message}`, one])).values(),
  ];
}

/** What a quantity was measured by, and of what: with another rate it is still the same quantity. */
function definitionOf(settings: Settings, { query }: Product, queries: Queries): string | null {
  if (query === null) return null;
  const { cluster_id: cluster, metrics_step_seconds: step, missing_usage: policy } = settings;
  return JSON.stringify([cluster, queries.text(query, step), step, policy === 'estimate']);
}

interface MeasuredDay {
  readonly date: IsoDate;
  readonly day: DailyTotal | undefined;
  /** See `definition` of a line. */
  readonly measuredBy: string | null;
}

function lineOf(
  settings: Settings,
  product: Product,
  { date, day, measuredBy }: MeasuredDay,
): ConstructedLine {
  const { quantity: kind, productType } = product;
  return constructLine({
    // Without the cluster, which may be given another name: what was measured of the day is then not forgotten.
    lineId: `${productType}/${date}`,
    date,
    resourceId: settings.cluster_id,
    productCategory: PRODUCT_CATEGORY,
    productType,
    quantity: kind === 'fixed' ? { kind, count: termsOn(settings, date).brokerCount } : { kind, day },
    unitPrice: rateOn(settings, date, product.rate),
    currency: settings.currency,
    missingUsage: settings.missing_usage,
    definition: measuredBy,
  });
}
