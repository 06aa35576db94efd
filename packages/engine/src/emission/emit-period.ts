import {
  ChargebackError,
  type ChargebackRow,
  type EmissionBatch,
  type EmissionReceipt,
  type EmittedBatch,
  type Problem,
} from '@chargeback/plugin-api';
import type { EmissionRecord } from '@chargeback/storage';
import type { ConfiguredEmitter } from '../configured-emitter.ts';
import { rethrowFatal } from '../rethrow-fatal.ts';
import type { TenantContext } from '../tenant-context.ts';
import { emissionProblem } from './emission-problem.ts';
import { isThere, lengthOf, type Period, periodWindow } from './period.ts';

export interface Emission {
  readonly configured: ConfiguredEmitter;
  readonly period: Period;
  readonly previous: EmissionRecord | undefined;
  readonly problems: Problem[];
}

/** Hands one batch over and records the outcome, which is returned. */
export async function emitPeriod(context: TenantContext, emission: Emission): Promise<EmissionRecord> {
  const { configured, period, previous } = emission;
  const sent: Sent = { rowCount: 0, totals: new Map() };
  let mark: string | null;
  try {
    const batch: EmissionBatch = {
      batchId: period.batchId,
      ecosystem: context.ecosystemName,
      tenantId: context.tenantId,
      period: period.window,
      aggregation: configured.aggregation,
      rows: counted(context.store.rows(period.window, configured.aggregation), sent),
      previous: previous && isThere(previous) ? emittedBatch(context, previous) : null,
      confirm: () => confirm(context),
    };
    const receipt = await configured.emitter.emit(batch, context.signal);
    assertReceipt(receipt, sent);
    mark = receipt.mark ?? null;
  } catch (cause) {
    rethrowFatal(context, cause);
    emission.problems.push(emissionProblem({ name: configured.name, date: period.date, cause }));
    return saveOutcome(context, emission, stillThere(emission));
  }
  const { aggregation } = configured;
  return saveOutcome(context, emission, { batchId: period.batchId, aggregation, mark, status: 'emitted' });
}

/** What failed leaves at the destination what was there. */
function stillThere({ configured, previous }: Emission): Outcome {
  const { batchId, aggregation, mark } = previous ?? { ...configured, batchId: null, mark: null };
  return { batchId, aggregation, mark, status: 'failed' };
}

type Outcome = Pick<EmissionRecord, 'batchId' | 'aggregation' | 'mark' | 'status'>;

/** Only who still has the lease, now and for a while, may change what is at a destination. */
export async function confirm({ store, clock, signal }: TenantContext): Promise<void> {
  signal.throwIfAborted();
  await store.renewLease(clock());
}

/** What a record says is at the destination. */
export function emittedBatch({ tenantId }: TenantContext, record: EmissionRecord): EmittedBatch {
  const { batchId, aggregation, mark } = record;
  const period = periodWindow(record.period, lengthOf(aggregation));
  return { batchId: batchId ?? '', tenantId, period, aggregation, mark };
}

async function saveOutcome(
  context: TenantContext,
  { configured, period, previous }: Emission,
  outcome: Outcome,
): Promise<EmissionRecord> {
  const saved: EmissionRecord = {
    emitter: configured.name,
    period: period.date,
    attempts: (previous?.status === 'failed' ? previous.attempts : 0) + 1,
    emittedAt: context.clock(),
    ...outcome,
  };
  await context.store.saveEmission(saved);
  return saved;
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
    for (const { amount } of chunk)
      sent.totals.set(amount.currency, (sent.totals.get(amount.currency) ?? 0n) + amount.units);
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
