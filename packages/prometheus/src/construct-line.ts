import { Decimal, formatMoney, MoneyError, moneyFromDecimal, zeroMoney } from '@chargeback/money';
import {
  type BillingLineItem,
  type Coverage,
  type IsoDate,
  makeProblem,
  type Problem,
  startOfDay,
} from '@chargeback/plugin-api';
import type { DailyTotal } from './daily-totals.ts';

const BYTES_PER_GIB = 1_073_741_824;
const HOURS_PER_DAY = 24;

/** Where the quantity of a line comes from. A day is missing when nobody asked for it. */
export type LineQuantity =
  /** Instances, whatever metrics say. */
  | { readonly kind: 'fixed'; readonly count: number }
  /** Bytes held, as the day's mean. */
  | { readonly kind: 'held'; readonly day: DailyTotal | undefined }
  /** Bytes moved, as the day's sum. */
  | { readonly kind: 'moved'; readonly day: DailyTotal | undefined };

/** A line of one UTC day, before its cost is known. */
export interface LineToConstruct {
  readonly lineId: string;
  readonly date: IsoDate;
  readonly resourceId: string;
  readonly productCategory: string;
  readonly productType: string;
  readonly quantity: LineQuantity;
  /** Price of an instance-hour (fixed), a GiB-hour (held) or a GiB (moved). */
  readonly unitPrice: Decimal;
  readonly currency: string;
  /** The tenant's policy: `estimate` adds the mean rate of bytes moved for the time that was not seen. */
  readonly missingUsage: 'hold' | 'estimate' | 'fallback';
  /** See {@link BillingLineItem.definition}; null for a fixed quantity. */
  readonly definition: string | null;
}

export interface ConstructedLine {
  readonly line: BillingLineItem;
  /** Warnings: the line's coverage decides whether it is held. An error holds the day. */
  readonly problems: readonly Problem[];
}

/**
 * fixed: count × 24. held: mean bytes ÷ 2³⁰ × 24. moved: sum of increases ÷ 2³⁰. Cost: quantity × price,
 * rounded once, half-even, to eight decimals. A cost that does not fit the ledger comes from an absurd sample:
 * the line then rests on none, so that it is held by itself. Under `fallback`, which holds no line, its problem
 * holds the day: a made-up 0 is no cost.
 * Source: "Constructed cost math" of the cost specification.
 */
export function constructLine(request: LineToConstruct): ConstructedLine {
  const { quantity: source, date, lineId } = request;
  const { quantity, estimated } = quantityOf(source, request.missingUsage === 'estimate');
  const exact = quantity.times(request.unitPrice);
  const line = {
    lineId,
    timestamp: startOfDay(date),
    granularity: 'daily',
    resourceId: request.resourceId,
    environmentId: null,
    productCategory: request.productCategory,
    productType: request.productType,
    quantity,
    unitPrice: request.unitPrice,
    ...(request.definition === null ? {} : { definition: request.definition }),
  };
  const problems = source.kind === 'fixed' ? [] : dayProblems(source.day, date);
  const coverage = source.kind === 'fixed' ? null : coverageOf(source.day);
  try {
    const { amount, rounded } = moneyFromDecimal(exact, request.currency);
    const metadata = {
      ...(rounded ? { total_cost_source: exact.toString(), total_cost_rounded: formatMoney(amount) } : {}),
      ...(estimated ? { estimated: true } : {}),
    };
    return { line: { ...line, totalCost: amount, coverage, metadata }, problems };
  } catch (cause) {
    if (!(cause instanceof MoneyError)) throw cause;
    const unknown = { samplesSeen: 0, samplesExpected: coverage?.samplesExpected ?? 1 };
    const metadata = { total_cost_source: exact.toString() };
    const severity = request.missingUsage === 'fallback' ? 'error' : 'warning';
    const message = `line ${lineId}: ${cause.message}`;
    const problem = makeProblem(cause.code, message, { severity, path: lineId, date });
    const nothing = { quantity: new Decimal(0), totalCost: zeroMoney(request.currency) };
    return {
      line: { ...line, ...nothing, coverage: unknown, metadata },
      problems: [...problems, problem],
    };
  }
}

function dayProblems(day: DailyTotal | undefined, date: IsoDate): Problem[] {
  return (day?.problems ?? []).map((problem) => ({ ...problem, severity: 'warning', date }));
}

/** Nothing measured is not "measured nothing": without an answer no sample was seen of those expected. */
function coverageOf(day: DailyTotal | undefined): Coverage {
  return day?.coverage ?? { samplesSeen: 0, samplesExpected: 1 };
}

function quantityOf(source: LineQuantity, estimate: boolean): { quantity: Decimal; estimated: boolean } {
  if (source.kind === 'fixed') {
    return { quantity: new Decimal(source.count).times(HOURS_PER_DAY), estimated: false };
  }
  const { day } = source;
  const gib = new Decimal(day?.value ?? 0).dividedBy(BYTES_PER_GIB);
  // A mean over fewer instants already speaks for all of them.
  if (source.kind === 'held') return { quantity: gib.times(HOURS_PER_DAY), estimated: false };
  const { samplesExpected } = coverageOf(day);
  const { value, steps } = day?.measured ?? { value: 0, steps: 0 };
  if (!estimate || steps === 0) return { quantity: gib, estimated: false };
  // What was measured, also what counters bridge, and its mean rate for the time that is missing.
  const measured = new Decimal(value).dividedBy(BYTES_PER_GIB);
  const scaled = steps < samplesExpected ? measured.times(samplesExpected).dividedBy(steps) : measured;
  return {
    quantity: Decimal.max(scaled, gib),
    estimated: steps < samplesExpected || scaled.greaterThan(gib),
  };
}
