import type { ErrorCode, IsoDate, Problem } from '@chargeback/plugin-api';
import type { TenantContext } from './tenant-context.ts';

/** What says that a day could not be asked for, and nothing of its inputs. */
export const UNANSWERED: ReadonlySet<ErrorCode> = new Set(['CB_BILLING_GATHER', 'CB_RUN_TIMEOUT']);

/** What is on record of days that are asked for. */
export interface EarlierProblems {
  /** Days of which something is on record. */
  readonly dates: ReadonlySet<IsoDate>;
  /** Of stored usage that was not asked for again: it is still so. */
  readonly standing: readonly Problem[];
  /** Of usage that has been answered since. */
  readonly refuted: readonly Problem[];
  /** That a day could not be asked for. */
  readonly unanswered: readonly Problem[];
}

/** @param answered usage queries that the source answered, by day. */
export async function earlierProblems(
  { store, window, wiring }: TenantContext,
  answered: ReadonlyMap<IsoDate, ReadonlySet<string>>,
  dates: readonly IsoDate[],
): Promise<EarlierProblems> {
  const asked = new Set<IsoDate | null>(dates);
  const queries = new Set<string | null>(wiring.usageQueries.map(({ key }) => key));
  const known = (await store.problems(window)).filter(({ date }) => asked.has(date));
  const ofUsage = known.filter(({ code, path }) => code.startsWith('CB_METRICS_') && queries.has(path));
  const isAnswered = ({ date, path }: Problem): boolean => answered.get(date!)?.has(path!) ?? false;
  return {
    dates: new Set(known.map(({ date }) => date!)),
    standing: ofUsage.filter((problem) => !isAnswered(problem)),
    refuted: ofUsage.filter(isAnswered),
    unanswered: known.filter(({ code }) => UNANSWERED.has(code)),
  };
}

/** A day that is asked for again by itself may say the same again. */
export function distinct(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}
