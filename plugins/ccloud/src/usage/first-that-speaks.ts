import {
  type Coverage,
  isComplete,
  type Problem,
  type UsageDay,
  type UsageTotals,
} from '@chargeback/plugin-api';
import { notWhole } from './truncation.ts';

/**
 * One day of a measure from the answers of its metrics, the best first: what a metric says of a resource counts
 * only when none before it says anything of that resource. While a metric could not be asked nobody knows what it
 * would have said: the day is failed when no other has anything to say, and is never whole.
 */
export function firstThatSpeaks(answers: readonly [UsageDay, ...UsageDay[]]): UsageDay {
  const [best] = answers;
  const failed = answers.filter(({ outcome }) => outcome === 'failed');
  const { totals, spoke } = united(answers.filter(({ outcome }) => outcome !== 'failed'));
  if (failed.length > 0 && spoke.length === 0) {
    // Where the server is down, once is enough.
    const told = failed.length === answers.length ? failed.slice(0, 1) : answers;
    return { ...failed[0]!, queryKey: best.queryKey, problems: problemsOf(told) };
  }
  const seen = coverageOf(answers, spoke);
  const coverage = failed.length > 0 ? notWhole(seen) : seen;
  return {
    date: best.date,
    queryKey: best.queryKey,
    totals,
    coverage,
    outcome: isComplete(coverage) ? 'complete' : 'partial',
    problems: problemsOf(answers),
  };
}

function problemsOf(answers: readonly UsageDay[]): Problem[] {
  return answers.flatMap(({ problems }) => problems);
}

/**
 * The most that any metric saw, because an hour that one of them speaks of was scraped; less where samples of a
 * metric that the totals rest on, or of one before it, were set aside.
 */
function coverageOf(answers: readonly UsageDay[], spoke: readonly UsageDay[]): Coverage {
  const answered = answers.filter(({ outcome }) => outcome !== 'failed');
  const seen = answered.map(({ coverage }) => coverage).reduce(more);
  const last = spoke.at(-1);
  const concerned = last ? answered.slice(0, answered.indexOf(last) + 1) : answered;
  const unusable = concerned.filter(({ coverage, problems }) => problems.length > 0 && !isComplete(coverage));
  return unusable.map(({ coverage }) => coverage).reduce(less, seen);
}

function more(left: Coverage, right: Coverage): Coverage {
  return right.samplesSeen > left.samplesSeen ? right : left;
}

function less(left: Coverage, right: Coverage): Coverage {
  return right.samplesSeen < left.samplesSeen ? right : left;
}

/** The totals, and which answers they come from. */
function united(answers: readonly UsageDay[]): { totals: UsageTotals; spoke: UsageDay[] } {
  const resourceIds: string[] = [];
  const identityIds: string[] = [];
  const values: number[] = [];
  const spoken = new Set<string>();
  const spoke: UsageDay[] = [];
  for (const answer of answers) {
    const { totals } = answer;
    const here = new Set<string>();
    for (const [index, resourceId] of (totals.resourceIds ?? []).entries()) {
      if (spoken.has(resourceId)) continue;
      here.add(resourceId);
      resourceIds.push(resourceId);
      identityIds.push(totals.identityIds[index]!);
      values.push(totals.values[index]!);
    }
    for (const resourceId of here) spoken.add(resourceId);
    if (here.size > 0) spoke.push(answer);
  }
  return { totals: { resourceIds, identityIds, values }, spoke };
}
