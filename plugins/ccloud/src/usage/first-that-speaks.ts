import { isComplete, type UsageDay, type UsageTotals } from '@chargeback/plugin-api';

/**
 * One day of a measure from the answers of its metrics, the best first: what a metric says of a resource counts
 * only when none before it says anything of that resource. A metric that could not be asked leaves the day
 * failed when no other has anything to say.
 */
export function firstThatSpeaks(answers: readonly [UsageDay, ...UsageDay[]]): UsageDay {
  const [best] = answers;
  const failed = answers.find(({ outcome }) => outcome === 'failed');
  const answered = answers.filter(({ outcome }) => outcome !== 'failed');
  const totals = united(answered.map((answer) => answer.totals));
  if (failed && totals.identityIds.length === 0) return { ...failed, queryKey: best.queryKey };
  const { coverage } = answered.reduce((most, answer) =>
    answer.coverage.samplesSeen > most.coverage.samplesSeen ? answer : most,
  );
  return {
    date: best.date,
    queryKey: best.queryKey,
    totals,
    coverage,
    outcome: isComplete(coverage) ? 'complete' : 'partial',
    problems: answered.flatMap(({ problems }) => problems),
  };
}

function united(all: readonly UsageTotals[]): UsageTotals {
  const resourceIds: string[] = [];
  const identityIds: string[] = [];
  const values: number[] = [];
  const spoken = new Set<string>();
  for (const totals of all) {
    const here = new Set<string>();
    for (const [index, resourceId] of (totals.resourceIds ?? []).entries()) {
      if (spoken.has(resourceId)) continue;
      here.add(resourceId);
      resourceIds.push(resourceId);
      identityIds.push(totals.identityIds[index]!);
      values.push(totals.values[index]!);
    }
    for (const resourceId of here) spoken.add(resourceId);
  }
  return { resourceIds, identityIds, values };
}
