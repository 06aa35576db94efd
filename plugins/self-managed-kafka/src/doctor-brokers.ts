import type { KafkaFinding, Questions } from './doctor-questions.ts';

export interface BrokersExpected {
  /** As compute is billed. */
  readonly count: number;
  /** PromQL with a series for each broker that was scraped lately. */
  readonly scrapes: string;
  /** Labels that name a broker, the first that a series has. */
  readonly labels: readonly string[];
}

/** Says whether as many brokers are scraped as are billed: a step that lacks one does not count as measured. */
export async function examineBrokers(
  ask: Questions,
  { count, scrapes, labels }: BrokersExpected,
): Promise<KafkaFinding[]> {
  const what = 'brokers';
  const found = await ask.series(scrapes);
  const names = new Set(
    found.flatMap((one) => labels.map((label) => one.labels[label]).find((name) => name) ?? []),
  );
  if (found.length === 0 || names.size === 0) {
    const evidence =
      found.length === 0
        ? 'the query scrapes finds nothing'
        : `its series carry none of the labels ${labels.join(', ')}`;
    const advice =
      'Missing brokers and gaps cannot be told: write a query scrapes with a series for each broker.';
    return [{ severity: 'warning', what, evidence, advice }];
  }
  const evidence = `${names.size} were scraped in the last minutes, ${count} are billed`;
  if (names.size === count) return [{ severity: 'ok', what, evidence, advice: '' }];
  const advice =
    names.size < count
      ? 'Steps that lack a broker do not count as measured: let all be scraped, or bill as many as there are.'
      : 'Compute is billed for fewer brokers than there are, or something else carries their metrics.';
  return [{ severity: 'warning', what, evidence, advice, yaml: `broker_count: ${names.size}` }];
}
