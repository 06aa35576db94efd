import type { EmittedBatch, Emitter, IsoDate } from '@chargeback/plugin-api';
import type { EmissionRecord, RecordedBatch } from '@chargeback/storage';
import type { TenantContext } from '../tenant-context.ts';
import { lengthOf, periodWindow } from './period.ts';

/** The batch that was emitted last; null when none is at the destination. */
export function lastBatch({ status, batchId, aggregation, mark }: EmissionRecord): RecordedBatch | null {
  return status === 'withdrawn' || batchId === null ? null : { batchId, aggregation, mark };
}

/** Everything of a period that is at the destination, or may be. */
export function batchesOf(record: EmissionRecord | undefined): RecordedBatch[] {
  if (!record) return [];
  const last = lastBatch(record);
  return last ? [last, ...record.others] : [...record.others];
}

/** A batch as an emitter knows it. */
export function emittedBatch(
  { tenantId }: Pick<TenantContext, 'tenantId'>,
  date: IsoDate,
  { batchId, aggregation, mark }: RecordedBatch,
): EmittedBatch {
  return { batchId, tenantId, period: periodWindow(date, lengthOf(aggregation)), aggregation, mark };
}

/** The batches with another one, unless it is among them. */
export function withBatch(batches: readonly RecordedBatch[], added: RecordedBatch): RecordedBatch[] {
  const isAdded = ({ batchId, aggregation, mark }: RecordedBatch): boolean =>
    batchId === added.batchId && aggregation === added.aggregation && mark === added.mark;
  return batches.some(isAdded) ? [...batches] : [...batches, added];
}

/** Former batches of a period that the new one has not replaced by taking their place. */
export function leftBeside(
  emitter: Emitter,
  former: readonly RecordedBatch[],
  { date, by, tenantId }: { date: IsoDate; by: RecordedBatch; tenantId: string },
): RecordedBatch[] {
  const placeOf = (batch: RecordedBatch): string | null =>
    emitter.place?.(emittedBatch({ tenantId }, date, batch)) ?? null;
  const place = placeOf(by);
  return former.filter((batch) => {
    const itsPlace = placeOf(batch);
    // Where places are not told, a batch takes that of the one of the same period.
    if (place === null || itsPlace === null) return lengthOf(batch.aggregation) !== lengthOf(by.aggregation);
    return itsPlace !== place;
  });
}
