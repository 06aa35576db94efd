import { Decimal, formatMoney, type Money, moneyFromDecimal } from '@chargeback/money';
import {
  type BillingBatch,
  type BillingLineItem,
  type Coverage,
  daysOf,
  type IsoDate,
  type Metadata,
  type Problem,
  startOfDay,
  type Window,
} from '@chargeback/plugin-api';
import { type DailyTotal, fetchDailyTotals, type PrometheusClient } from '@chargeback/prometheus';
import { rateIn } from './cost-model-schema.ts';
import { type Product, PRODUCT_CATEGORY, PRODUCTS } from './products.ts';
import type { Queries } from './queries.ts';
import type { Settings } from './settings.ts';

const BYTES_PER_GIB = 1_073_741_824;
const HOURS_PER_DAY = 24;

export interface BillRequest {
  readonly client: PrometheusClient;
  readonly queries: Queries;
  readonly window: Window;
  readonly signal: AbortSignal;
}

/** Constructs the bill of a window: four lines for each day, whether or not metrics answered. */
export async function constructBill(settings: Settings, request: BillRequest): Promise<BillingBatch> {
  const measured = await Promise.all(
    Object.values(PRODUCTS).map(async (product) => ({
      product,
      days: await measure(settings, product, request),
    })),
  );
  const lines: BillingLineItem[] = [];
  const problems: Problem[] = [];
  for (const date of daysOf(request.window)) {
    for (const { product, days } of measured) {
      const day = days.get(date);
      lines.push(lineOf(settings, product, { date, day }));
      // The line's coverage decides whether it is held; the cause must not hold its siblings.
      for (const problem of day?.problems ?? []) problems.push({ ...problem, severity: 'warning', date });
    }
  }
  return { window: request.window, lines, problems };
}

/** The days' totals (increases) or means (gauge) of a product's query; none for what is fixed. */
async function measure(
  settings: Settings,
  { query: key, quantity }: Product,
  { client, queries, window, signal }: BillRequest,
): Promise<ReadonlyMap<IsoDate, DailyTotal>> {
  const days = new Map<IsoDate, DailyTotal>();
  if (key === null) return days;
  const stepSeconds = settings.metrics_step_seconds;
  const query = {
    key,
    expression: () => queries.text(key, stepSeconds),
    stepSeconds,
    reduce: quantity === 'sum' ? ('sum' as const) : ('mean' as const),
  };
  for await (const day of fetchDailyTotals(client, query, { window, signal })) days.set(day.date, day);
  return days;
}

interface MeasuredDay {
  readonly date: IsoDate;
  readonly day: DailyTotal | undefined;
}

function lineOf(settings: Settings, product: Product, { date, day }: MeasuredDay): BillingLineItem {
  const { quantity, estimated } = quantityOf(settings, product, day);
  const unitPrice = rateIn(settings.cost_model, settings.region, product.rate);
  const exact = quantity.times(unitPrice);
  const cost = moneyFromDecimal(exact, settings.currency);
  return {
    lineId: `${settings.cluster_id}/${product.productType}/${date}`,
    timestamp: startOfDay(date),
    granularity: 'daily',
    resourceId: settings.cluster_id,
    environmentId: null,
    productCategory: PRODUCT_CATEGORY,
    productType: product.productType,
    quantity,
    unitPrice,
    totalCost: cost.amount,
    coverage: product.query === null ? null : coverageOf(day),
    metadata: metadataOf(cost.rounded ? exact : null, cost.amount, estimated),
  };
}

/** Nothing measured is not "measured nothing": without an answer no sample was seen of those expected. */
function coverageOf(day: DailyTotal | undefined): Coverage {
  return day?.coverage ?? { samplesSeen: 0, samplesExpected: 1 };
}

/**
 * Compute: brokers × 24 hours. Storage: mean bytes ÷ 2³⁰ × 24 hours. Network: sum of increases ÷ 2³⁰.
 * Source: "Compute costs", "Storage costs" and "Network costs" of the cost specification.
 */
function quantityOf(
  { broker_count: brokers, missing_usage: policy }: Settings,
  { quantity }: Product,
  day: DailyTotal | undefined,
): { quantity: Decimal; estimated: boolean } {
  if (quantity === 'brokers') {
    return { quantity: new Decimal(brokers).times(HOURS_PER_DAY), estimated: false };
  }
  const gib = new Decimal(day?.value ?? 0).dividedBy(BYTES_PER_GIB);
  if (quantity === 'mean') return { quantity: gib.times(HOURS_PER_DAY), estimated: false };
  const { samplesExpected } = coverageOf(day);
  const instants = day?.instants ?? 0;
  if (policy !== 'estimate' || instants === 0 || instants >= samplesExpected) {
    return { quantity: gib, estimated: false };
  }
  return { quantity: gib.times(samplesExpected).dividedBy(instants), estimated: true };
}

function metadataOf(exact: Decimal | null, amount: Money, estimated: boolean): Metadata {
  return {
    ...(exact === null
      ? {}
      : { total_cost_source: exact.toString(), total_cost_rounded: formatMoney(amount) }),
    ...(estimated ? { estimated: true } : {}),
  };
}
