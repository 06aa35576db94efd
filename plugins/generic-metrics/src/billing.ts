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
  type LineQuantity,
  type PrometheusClient,
  stepOf,
} from '@chargeback/prometheus';
import type { CostType, Settings } from './settings.ts';

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
      const constructed = lineOf(settings, costType, { date, day });
      lines.push(constructed.line);
      problems.push(...constructed.problems);
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

function lineOf(settings: Settings, costType: CostType, { date, day }: MeasuredDay): ConstructedLine {
  const { cost_quantity: quantity } = costType;
  return constructLine({
    // Without the cluster, which may be given another name: what was measured of the day is then not forgotten.
    lineId: `${costType.name}/${date}`,
    date,
    resourceId: settings.cluster_id,
    productCategory: costType.product_category,
    productType: costType.name,
    quantity: quantityOf(quantity, day),
    unitPrice: costType.rate,
    currency: settings.currency,
    missingUsage: settings.missing_usage,
    definition: quantity.type === 'fixed' ? null : definitionOf(settings, costType),
  });
}

function quantityOf(quantity: CostType['cost_quantity'], day: DailyTotal | undefined): LineQuantity {
  if (quantity.type === 'fixed') return { kind: 'fixed', count: quantity.count };
  return { kind: quantity.type === 'storage_gib' ? 'held' : 'moved', day };
}

/** What the quantity was measured by, and of what: with another rate it is still the same quantity. */
function definitionOf(settings: Settings, { cost_quantity: quantity }: CostType): string {
  const estimated = settings.missing_usage === 'estimate';
  return JSON.stringify([settings.cluster_id, quantity, settings.metrics_step_seconds, estimated]);
}
