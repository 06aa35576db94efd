import { addTotals } from '@chargeback/money';
import {
  ChargebackError,
  type ChargebackRow,
  type EmissionBatch,
  type EmissionReceipt,
  type Problem,
} from '@chargeback/plugin-api';
import type { EmissionRecord, RecordedBatch } from '@chargeback/storage';
import type { ConfiguredEmitter } from '../configured-emitter.ts';
import { rethrowFatal } from '../rethrow-fatal.ts';
import type { TenantContext } from '../tenant-context.ts';
import { batchesOf, lastBatch, leftBeside, withBatch } from './batches.ts';
import { emissionProblem } from './emission-problem.ts';
import type { Period } from './period.ts';

export interface Emission {
  readonly configured: ConfiguredEmitter;
  readonly period: Period;
  readonly previous: EmissionRecord | undefined;
}

export interface EmissionOutcome {
  readonly record: EmissionRecord;
  /** Why it failed; null when it did not. */
  readonly problem: Problem | null;
}

/**
 * Hands one batch over and records the outcome, which is returned. Before the destination changes it is on record what
 * is about to be there, so that a run that breaks off leaves nothing that nobody knows of.
 */
export async function emitPeriod(context: TenantContext, emission: Emission): Promise<EmissionOutcome> {
  const { configured, period, previous } = emission;
  const { aggregation, emitter, name } = configured;
  const { batchId } = period;
  const sent: Sent = { rowCount: 0, totals: new Map() };
  let begun = beginning(context, emission);
  let mark: string | null;
  try {
    const batch: EmissionBatch = {
      batchId,
      ecosystem: context.ecosystemName,
      tenantId: context.tenantId,
      period: period.window,
      aggregation,
      rows: counted(context.store.rows(period.window, aggregation), sent),
      confirm: async (intended) => {
        context.signal.throwIfAborted();
        const others = withBatch(begun.others, { batchId, aggregation, mark: intended ?? null });
        begun = await saved(context, { ...begun, others });
        await confirm(context);
      },
    };
    const receipt = await emitter.emit(batch, context.signal);
    assertReceipt(receipt, sent);
    mark = receipt.mark ?? null;
  } catch (cause) {
    rethrowFatal(context, cause);
    const problem = emissionProblem({ name, date: period.date, cause });
    // What was there still is, and perhaps what was about to be.
    return { record: await saved(context, { ...begun, status: 'failed' }), problem };
  }
  const by: RecordedBatch = { batchId, aggregation, mark };
  const former = [...batchesOf(previous), ...begun.others];
  const others = leftBeside(emitter, former, { date: period.date, by, tenantId: context.tenantId });
  const record: EmissionRecord = {
    ...begun,
    ...by,
    others: others.reduce(withBatch, []),
    status: 'emitted',
  };
  return { record: await saved(context, record), problem: null };
}

/** The record of what was there before, once there may be more. */
function beginning(context: TenantContext, { configured, period, previous }: Emission): EmissionRecord {
  const { name, aggregation } = configured;
  const last = previous ? lastBatch(previous) : null;
  const tries = previous?.status === 'failed' || previous?.status === 'pending' ? previous.attempts : 0;
  return {
    emitter: name,
    period: period.date,
    ...(last ?? { batchId: null, aggregation, mark: null }),
    others: previous?.others ?? [],
    status: 'pending',
    attempts: tries + 1,
    emittedAt: context.clock(),
  };
}

async function saved({ store, clock }: TenantContext, record: EmissionRecord): Promise<EmissionRecord> {
  const now: EmissionRecord = { ...record, emittedAt: clock() };
  await store.saveEmission(now);
  return now;
}

/** Only who still has the lease, now and for a while, may change what is at a destination. */
export async function confirm({ store, clock, signal }: TenantContext): Promise<void> {
  signal.throwIfAborted();
  await store.renewLease(clock());
}

interface Sent {
  rowCount: number;
  readonly totals: Map<string, bigint>;
}

async function* counted(
  rows: AsyncIterable<readonly ChargebackRow[]>,
  sent: Sent,
): AsyncIterable<readonly ChargebackRow[]> {
  for await (const chunk of rows) {
    sent.rowCount += chunk.length;
    addTotals(sent.totals, chunk);
    yield chunk;
  }
}

function assertReceipt(receipt: EmissionReceipt, sent: Sent): void {
  const same =
    receipt.rowCount === sent.rowCount &&
    receipt.totals.size === sent.totals.size &&
    [...sent.totals].every(([currency, units]) => receipt.totals.get(currency) === units);
  if (!same) {
    throw new ChargebackError(
      'CB_EMIT_RECEIPT',
      `the emitter confirmed ${receipt.rowCount} rows of ${sent.rowCount} sent, or another total`,
    );
  }
}
