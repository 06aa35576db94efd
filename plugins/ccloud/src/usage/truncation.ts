import { type Coverage, type IsoDate, makeProblem, type Problem } from '@chargeback/plugin-api';

/** Data points of one metric and resource type that an answer of the vendor holds at most; the rest is left out. */
export const MOST_POINTS = 60_000;

export function truncationProblem(key: string, date: IsoDate, points: number): Problem {
  const message = `${key}: an answer holds ${points} points, as many as Confluent Cloud gives at most (${MOST_POINTS}); some are probably missing`;
  const fix = 'Scrape fewer clusters with one job, so that no answer reaches the limit.';
  return makeProblem('CB_METRICS_PARTIAL', message, { date, path: key, fix });
}

/** Nobody knows what is missing: such a day never counts as whole. */
export function notWhole({ samplesSeen, samplesExpected }: Coverage): Coverage {
  return { samplesSeen: Math.min(samplesSeen, samplesExpected - 1), samplesExpected };
}
