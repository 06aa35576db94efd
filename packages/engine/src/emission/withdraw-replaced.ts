import type { IsoDate, Problem } from '@chargeback/plugin-api';
import type { EmissionRecord } from '@chargeback/storage';
import type { ConfiguredEmitter } from '../configured-emitter.ts';
import { rethrowFatal } from '../rethrow-fatal.ts';
import type { TenantContext } from '../tenant-context.ts';
import { confirm, emittedBatch } from './emit-period.ts';
import { emissionProblem } from './emission-problem.ts';
import { byPeriod, isThere, lengthOf, monthOf } from './period.ts';
import type { StoredDays } from './stored-days.ts';

export interface Withdrawal {
  readonly configured: ConfiguredEmitter;
  readonly days: StoredDays;
  /** As they are after this run's emissions. */
  readonly records: ReadonlyMap<IsoDate, EmissionRecord>;
  readonly problems: Problem[];
}

/**
 * After a change from days to months, or back: removes from the destination the batches whose costs others show now.
 * What no new batch covers stays.
 */
export async function withdrawReplaced(context: TenantContext, withdrawal: Withdrawal): Promise<void> {
  const { configured, problems } = withdrawal;
  const { emitter, name } = configured;
  const left: IsoDate[] = [];
  for (const [old, by] of replacedBatches(withdrawal)) {
    try {
      if (emitter.withdraw) {
        await confirm(context);
        await emitter.withdraw(emittedBatch(context, old), emittedBatch(context, by));
      } else left.push(old.period);
    } catch (cause) {
      rethrowFatal(context, cause);
      problems.push(emissionProblem({ name, date: old.period, cause }));
      continue;
    }
    const emittedAt = context.clock();
    await context.store.saveEmission({ ...old, batchId: null, mark: null, status: 'withdrawn', emittedAt });
  }
  if (left.length > 0) {
    context.logger.warn(
      { emitter: name, first: left[0], last: left.at(-1), batches: left.length },
      'batches of the former aggregation stay at the destination, which now shows their costs twice',
    );
  }
}

/** Each batch of the other length with one of those that show its costs now. */
function* replacedBatches({
  configured,
  days,
  records,
}: Withdrawal): Generator<readonly [old: EmissionRecord, by: EmissionRecord]> {
  const length = lengthOf(configured.aggregation);
  const others = [...records.values()].filter(
    (record) => lengthOf(record.aggregation) !== length && record.status !== 'closed' && isThere(record),
  );
  if (others.length === 0) return;
  const byMonth = byPeriod(days.states, 'month');
  const current = (date: IsoDate): EmissionRecord | undefined => {
    const record = records.get(date);
    return record?.status === 'emitted' && lengthOf(record.aggregation) === length ? record : undefined;
  };
  for (const old of others) {
    const month = monthOf(old.period);
    const dates = length === 'month' ? [month] : (byMonth.get(month) ?? []).map(({ date }) => date);
    const by = dates.map(current);
    if (by[0] && by.every((record) => record !== undefined)) yield [old, by[0]];
  }
}
