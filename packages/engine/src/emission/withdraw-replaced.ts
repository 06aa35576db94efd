import type { IsoDate, Problem } from '@chargeback/plugin-api';
import type { EmissionRecord, RecordedBatch } from '@chargeback/storage';
import type { ConfiguredEmitter } from '../configured-emitter.ts';
import { rethrowFatal } from '../rethrow-fatal.ts';
import type { TenantContext } from '../tenant-context.ts';
import { batchesOf, emittedBatch, lastBatch } from './batches.ts';
import { confirm } from './emit-period.ts';
import { emissionProblem, leftProblem } from './emission-problem.ts';
import { byPeriod, lengthOf, monthOf } from './period.ts';
import type { StoredDays } from './stored-days.ts';

export type EmissionRecords = Map<IsoDate, EmissionRecord>;

export interface Withdrawal {
  readonly configured: ConfiguredEmitter;
  readonly days: StoredDays;
  /** As they are after this run's emissions. */
  readonly records: EmissionRecords;
  /** Places that batches of the tenant's emitters have now. */
  readonly takenPlaces: () => ReadonlySet<string>;
  readonly problems: Problem[];
}

/** Batches of one period that others show now. */
interface Replaced {
  readonly record: EmissionRecord;
  readonly batches: readonly RecordedBatch[];
  /** One of those that show their costs. */
  readonly by: EmissionRecord;
}

/**
 * Removes from the destination the batches whose costs others show now: after a change from days to months, or back,
 * and what is of former names or of runs that broke off. What no new batch covers stays.
 */
export async function withdrawReplaced(context: TenantContext, withdrawal: Withdrawal): Promise<void> {
  const { configured, problems, records } = withdrawal;
  const { emitter, name } = configured;
  const left: string[] = [];
  const abandoned: IsoDate[] = [];
  for (const replaced of replacedBatches(withdrawal)) {
    const { record, batches } = replaced;
    let gone = batches;
    if (!emitter.withdraw) abandoned.push(record.period);
    try {
      if (emitter.withdraw) gone = await withdrawAll(context, withdrawal, { replaced, left });
    } catch (cause) {
      rethrowFatal(context, cause);
      problems.push(emissionProblem({ name, date: record.period, cause }));
      continue;
    }
    if (gone.length === 0) continue;
    const saved = without(context, replaced, gone);
    await context.store.saveEmission(saved);
    records.set(record.period, saved);
  }
  if (left.length > 0) problems.push(leftProblem(configured, left));
  if (abandoned.length > 0) {
    context.logger.warn(
      { emitter: name, first: abandoned[0], last: abandoned.at(-1), periods: abandoned.length },
      'batches of former settings stay at the destination, which now shows their costs twice',
    );
  }
}

/** Tells which of them are gone, and adds the names of the rest. */
async function withdrawAll(
  context: TenantContext,
  { configured: { emitter }, takenPlaces }: Withdrawal,
  { replaced: { record, batches, by }, left }: { replaced: Replaced; left: string[] },
): Promise<RecordedBatch[]> {
  const shown = emittedBatch(context, by.period, lastBatch(by)!);
  const gone: RecordedBatch[] = [];
  for (const old of batches) {
    const batch = emittedBatch(context, record.period, old);
    const place = emitter.place?.(batch) ?? null;
    let what: string | null = null;
    // Where another batch is by now nothing is removed.
    if (place === null || !takenPlaces().has(place)) {
      await confirm(context);
      what = (await emitter.withdraw!(batch, shown)) ?? null;
    }
    if (what === null) gone.push(old);
    else left.push(what);
  }
  return gone;
}

function without(
  { clock }: TenantContext,
  { record, batches, by }: Replaced,
  gone: readonly RecordedBatch[],
): EmissionRecord {
  if (record === by) return { ...record, others: record.others.filter((other) => !gone.includes(other)) };
  const [last, ...others] = batches.filter((batch) => !gone.includes(batch));
  if (last) return { ...record, ...last, others };
  return { ...record, batchId: null, mark: null, others, status: 'withdrawn', emittedAt: clock() };
}

function* replacedBatches({ configured, days, records }: Withdrawal): Generator<Replaced> {
  const length = lengthOf(configured.aggregation);
  const former = [...records.values()].filter(
    (record) =>
      record.status !== 'closed' &&
      (record.others.length > 0 || (lengthOf(record.aggregation) !== length && lastBatch(record))),
  );
  if (former.length === 0) return;
  const byMonth = byPeriod(days.states, 'month');
  const current = (date: IsoDate): EmissionRecord | undefined => {
    const record = records.get(date);
    return record?.status === 'emitted' && lengthOf(record.aggregation) === length ? record : undefined;
  };
  for (const record of former) {
    const month = monthOf(record.period);
    const dates = length === 'month' ? [month] : (byMonth.get(month) ?? []).map(({ date }) => date);
    const all = dates.map(current);
    // Of another length: only what shows all of the month's costs replaces it.
    const covered = all.every((each) => each !== undefined) ? all[0] : undefined;
    const own = current(record.period);
    if (own === undefined) {
      if (covered) yield { record, batches: batchesOf(record), by: covered };
      continue;
    }
    const batches = covered
      ? record.others
      : record.others.filter(({ aggregation }) => lengthOf(aggregation) === length);
    if (batches.length > 0) yield { record, batches, by: own };
  }
}
