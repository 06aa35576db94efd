import type { Finding } from '@chargeback/plugin-api';
import type { MetricFamily } from './doctor-families.ts';
import { gibibytes, type Questions } from './doctor-questions.ts';

const WHAT = 'stored bytes';

/** Says whether the log size is there, and how many times it counts every byte. */
export async function examineStorage(
  ask: Questions,
  family: MetricFamily | null,
  counts: ReadonlyMap<string, number>,
): Promise<Finding[]> {
  const metric = family?.logSize ?? null;
  const total =
    metric === null || !counts.has(metric) ? null : await ask.number(`sum(${ask.select(metric)})`);
  if (metric === null || total === null) {
    const evidence = `${metric ?? 'a log size'} is not there`;
    const advice =
      'Let the exporter expose kafka.log:type=Log,name=Size: without it storage has no quantity.';
    return [{ severity: 'error', what: WHAT, evidence, advice }];
  }
  const copies = await copiesOf(ask, metric);
  const seen = `${metric}: ${gibibytes(total)} on disk`;
  if (copies === null) {
    const advice =
      'This metric counts every replica: let storage_per_gib_hourly be the price of a GiB of disk.';
    return [{ severity: 'ok', what: WHAT, evidence: `${seen}, all replicas together`, advice }];
  }
  const { mean, most } = copies;
  const evidence = `${seen}, each byte ${mean.toFixed(2)} times on average (replicas, at most ${most})`;
  const advice =
    mean > 1
      ? 'Replicas are counted: let storage_per_gib_hourly be the price of a GiB of disk, not of a GiB of data.'
      : '';
  return [{ severity: 'ok', what: WHAT, evidence, advice }];
}

/** Series of one partition are its replicas on different brokers. Null where there are no partitions to tell. */
async function copiesOf(ask: Questions, metric: string): Promise<{ mean: number; most: number } | null> {
  const selected = ask.select(metric, 'partition!=""');
  const once = await ask.number(`sum(max by (topic, partition) (${selected}))`);
  const all = await ask.number(`sum(${selected})`);
  const most = await ask.number(`max(count by (topic, partition) (${selected}))`);
  return once === null || all === null || most === null
    ? null
    : { mean: once === 0 ? most : all / once, most };
}
