import { Decimal, formatMoney, type Money, MoneyError, moneyFromDecimal } from '@chargeback/money';
import {
  type BillingBatch,
  type BillingLineItem,
  type Coverage,
  daysOf,
  type IsoDate,
  makeProblem,
  type Metadata,
  type Problem,
  startOfDay,
  type Window,
} from '@chargeback/plugin-api';
import { type DailyTotal, fetchDailyTotals, type PrometheusClient, stepOf } from '@chargeback/prometheus';
import type { CostType, Settings } from './settings.ts';

const BYTES_PER_GIB = 1_073_741_824;
const HOURS_PER_DAY = 24;

/** Constructs the bill of a window from rates and the metrics behind them, in one batch. */
export async function constructBill(
  settings: Settings,
  client: PrometheusClient,
  request: { window: Window; signal: AbortSignal },
): Promise<BillingBatch> {
  const measured = await Promise.all(
    settings.cost_types.map((costType) => measure(settings, costType, { client, ...request })),
  );
  const lines: BillingLineItem[] = [];
  const problems: Problem[] = [];
  for (const date of daysOf(request.window)) {
    for (const [index, costType] of settings.cost_types.entries()) {
      const day = measured[index]?.get(date);
      lines.push(billableLine(settings, costType, { date, day, problems }));
      // The line's coverage decides whether it is held; the cause must not hold its siblings.
      for (const problem of day?.problems ?? []) problems.push({ ...problem, severity: 'warning', date });
    }
  }
  return { window: request.window, lines, problems };
}

interface MeasureRequest {
  readonly client: PrometheusClient;
  readonly window: Window;
  readonly signal: AbortSignal;
}

/** The day's total (counter) or mean (gauge) of a cost type's query; null for a fixed cost. */
async function measure(
  settings: Settings,
  costType: CostType,
  { client, window, signal }: MeasureRequest,
): Promise<Map<IsoDate, DailyTotal> | null> {
  const quantity = costType.cost_quantity;
  if (quantity.type === 'fixed') return null;
  const step = settings.metrics_step_seconds;
  const counter = quantity.type === 'network_gib';
  const query = {
    key: `cost_${costType.name}`,
    expression: () => quantity.query,
    stepSeconds: counter ? stepOf(quantity.query, step) : step,
    reduce: counter ? ('sum' as const) : ('mean' as const),
  };
  const days = new Map<IsoDate, DailyTotal>();
  for await (const day of fetchDailyTotals(client, query, { window, signal })) days.set(day.date, day);
  return days;
}

interface MeasuredDay {
  readonly date: IsoDate;
  readonly day: DailyTotal | undefined;
}

/**
 * A cost that no ledger can hold comes from an absurd sample: the line then rests on none, so that it is held
 * by itself. Where missing usage is not to hold a line, the day is held instead: a made-up 0 is no cost.
 */
function billableLine(
  settings: Settings,
  costType: CostType,
  measured: MeasuredDay & { readonly problems: Problem[] },
): BillingLineItem {
  try {
    return lineOf(settings, costType, measured);
  } catch (cause) {
    if (!(cause instanceof MoneyError) || cause.code !== 'CB_MONEY_TOO_LARGE') throw cause;
    const severity = settings.missing_usage === 'fallback' ? 'error' : 'warning';
    const { date, day } = measured;
    const message = `${costType.name}: ${cause.message}`;
    measured.problems.push(makeProblem(cause.code, message, { severity, date, path: costType.name }));
    const coverage = { samplesSeen: 0, samplesExpected: coverageOf(day).samplesExpected };
    return lineOf(settings, costType, {
      date,
      day: { date, value: null, instants: 0, coverage, problems: [] },
    });
  }
}

function lineOf(settings: Settings, costType: CostType, { date, day }: MeasuredDay): BillingLineItem {
  const { quantity, estimated } = quantityOf(costType, day, settings.missing_usage === 'estimate');
  const cost = moneyFromDecimal(quantity.times(costType.rate), settings.currency);
  return {
    lineId: `${settings.cluster_id}/${costType.name}/${date}`,
    timestamp: startOfDay(date),
    granularity: 'daily',
    resourceId: settings.cluster_id,
    environmentId: null,
    productCategory: costType.product_category,
    productType: costType.name,
    quantity,
    unitPrice: costType.rate,
    totalCost: cost.amount,
    ...(costType.cost_quantity.type === 'fixed'
      ? { coverage: null }
      : { coverage: coverageOf(day), definition: definitionOf(settings, costType) }),
    metadata: metadataOf(cost.rounded ? quantity.times(costType.rate) : null, cost.amount, estimated),
  };
}

/** What the quantity was measured by: with another rate it is still the same quantity. */
function definitionOf(settings: Settings, { cost_quantity: quantity }: CostType): string {
  const estimated = settings.missing_usage === 'estimate';
  return JSON.stringify([quantity, settings.metrics_step_seconds, estimated]);
}

/** Nothing measured is not "measured nothing": without an answer no sample was seen of those expected. */
function coverageOf(day: DailyTotal | undefined): Coverage {
  return day?.coverage ?? { samplesSeen: 0, samplesExpected: 1 };
}

/**
 * fixed: count × 24. storage_gib: mean bytes ÷ 2³⁰ × 24. network_gib: sum of increases ÷ 2³⁰.
 * Source: "Generic metrics: the three quantity types" of the cost specification.
 */
function quantityOf(
  costType: CostType,
  day: DailyTotal | undefined,
  estimate: boolean,
): { quantity: Decimal; estimated: boolean } {
  const kind = costType.cost_quantity;
  if (kind.type === 'fixed')
    return { quantity: new Decimal(kind.count).times(HOURS_PER_DAY), estimated: false };
  const gib = new Decimal(day?.value ?? 0).dividedBy(BYTES_PER_GIB);
  if (kind.type === 'storage_gib') return { quantity: gib.times(HOURS_PER_DAY), estimated: false };
  const { samplesExpected } = coverageOf(day);
  const instants = day?.instants ?? 0;
  if (!estimate || instants === 0 || instants >= samplesExpected) return { quantity: gib, estimated: false };
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
