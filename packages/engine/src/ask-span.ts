import {
  type BillingBatch,
  ChargebackError,
  dayWindow,
  type IsoDate,
  type UsageDay,
  type Window,
} from '@chargeback/plugin-api';
import type { TenantContext } from './tenant-context.ts';
import { usageToAsk, type UsageQuestion } from './usage-to-ask.ts';

/** What a source said of consecutive days. */
export interface SpanAnswer {
  readonly span: readonly IsoDate[];
  readonly usage: ReadonlyMap<IsoDate, readonly UsageDay[]>;
  readonly batches: readonly BillingBatch[];
  /** Whether all usage that was asked for came. */
  readonly measured: boolean;
  /** Why usage or bill did not come. */
  readonly failures: readonly unknown[];
  /** It was told to stop: what it said need not be all. */
  readonly isCut: boolean;
}

/** A plugin that ends early when it is told to stop has not told all of its bill. */
export function isWhole({ failures, isCut }: SpanAnswer): boolean {
  return failures.length === 0 && !isCut;
}

/** Asks for usage and bill of a span; nothing is written. Rejects only for the database's sake. */
export async function askSpan(context: TenantContext, span: readonly IsoDate[]): Promise<SpanAnswer> {
  const window: Window = { start: dayWindow(span[0]!).start, end: dayWindow(span.at(-1)!).end };
  const usage = new Map<IsoDate, UsageDay[]>(span.map((date) => [date, []]));
  const batches: BillingBatch[] = [];
  const questions = await usageToAsk(context, span);
  // Both ask the network: side by side, each within its own limits.
  const outcomes = await Promise.allSettled([
    collectUsage(context, questions, usage),
    collectBilling(context, window, batches),
  ]);
  return {
    span,
    usage,
    batches,
    measured: outcomes[0].status === 'fulfilled',
    failures: outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
    ),
    isCut: context.signal.aborted,
  };
}

async function collectUsage(
  context: TenantContext,
  questions: readonly UsageQuestion[],
  usage: Map<IsoDate, UsageDay[]>,
): Promise<void> {
  const { metrics } = context.ecosystem;
  if (!metrics) return;
  for (const { queries, window } of questions) {
    for await (const day of metrics.usage(queries, window, context.signal)) usage.get(day.date)?.push(day);
  }
}

async function collectBilling(
  context: TenantContext,
  window: Window,
  batches: BillingBatch[],
): Promise<void> {
  for await (const batch of context.ecosystem.billing(window, context.signal)) {
    if (batch.window.start < window.start || batch.window.end > window.end) {
      throw new ChargebackError(
        'CB_LINE_INVALID',
        'the plugin yielded a batch outside the window it was asked for',
      );
    }
    batches.push(batch);
  }
}
