import type { IsoDate, UsageQuery, Window } from '@chargeback/plugin-api';
import type { PrometheusClient } from './prometheus-client.ts';
import { type DayProblem, failureProblem, warningProblems } from './span-problems.ts';
import { walkDays } from './walk-days.ts';

const SECONDS_PER_DAY = 86_400;
/** Larger samples are no measurements. */
const LARGEST_USABLE = 1e290;

/** Asks what counters say of a whole day: their increase holds what passed in every gap inside it. */
export interface CounterBridge {
  /** The increase over a range of a day. */
  readonly increase: string;
  /** How often the same counters began again; what had passed in a gap before that is gone. */
  readonly resets: string;
}

export interface BridgedDay {
  /** Null when it could not be asked, or has no usable sample. */
  readonly value: number | null;
  /** Whether a counter began again, or nobody knows. */
  readonly restarted: boolean;
  readonly problems: readonly DayProblem[];
}

/** Empty where there is no bridge. Only an abort rejects. */
export async function bridgedDays(
  client: PrometheusClient,
  { key, bridge }: Pick<UsageQuery, 'key'> & { readonly bridge?: CounterBridge },
  range: { window: Window; signal: AbortSignal },
): Promise<ReadonlyMap<IsoDate, BridgedDay>> {
  const days = new Map<IsoDate, BridgedDay>();
  if (!bridge) return days;
  const [increases, resets] = await Promise.all([
    sumsOf(client, { key, expression: bridge.increase }, range),
    sumsOf(client, { key, expression: bridge.resets }, range),
  ]);
  for (const [date, { value, problem }] of increases) {
    const restarts = resets.get(date);
    days.set(date, {
      value,
      restarted: restarts?.value !== 0,
      problems: [problem, restarts?.problem].filter((one) => one !== undefined && one !== null),
    });
  }
  return days;
}

interface DaySum {
  readonly value: number | null;
  readonly problem: DayProblem | null;
}

async function sumsOf(
  client: PrometheusClient,
  { key, expression }: { key: string; expression: string },
  range: { window: Window; signal: AbortSignal },
): Promise<ReadonlyMap<IsoDate, DaySum>> {
  const sums = new Map<IsoDate, DaySum>();
  const query = { expression: () => expression, stepSeconds: SECONDS_PER_DAY };
  for await (const { span, answer, error } of walkDays(client, query, range)) {
    for (const [day, date] of span.days.entries()) {
      if (!answer) {
        sums.set(date, { value: null, problem: failureProblem(error, date, key) });
        continue;
      }
      const at = span.start + (day + 1) * SECONDS_PER_DAY;
      const values = answer.series.flatMap(({ times, values: all }) =>
        [...times.keys()].filter((index) => times[index] === at).map((index) => all[index]!),
      );
      const usable = values.length > 0 && values.every((value) => value >= 0 && value <= LARGEST_USABLE);
      // What the server calls partial tells nothing of a gap.
      const [warning] = warningProblems(answer.warnings, date, key);
      const value = usable && !warning ? values.reduce((sum, one) => sum + one, 0) : null;
      sums.set(date, { value, problem: warning ? { ...warning, date } : null });
    }
  }
  return sums;
}
