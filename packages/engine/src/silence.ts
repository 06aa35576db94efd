import type { BillingBatch, Ecosystem, IsoDate, Problem, UsageDay } from '@chargeback/plugin-api';

/** Codes that say something about an answer, and so that there was one. */
const ANSWERED = new Set(['CB_METRICS_SAMPLE', 'CB_METRICS_PARTIAL', 'CB_METRICS_LABEL']);

export interface Answers {
  readonly batches: readonly BillingBatch[];
  readonly usage: ReadonlyMap<IsoDate, readonly UsageDay[]>;
}

/**
 * What a source said that told nothing although it was asked; null when it told something. A vendor's bill is
 * an answer; a constructed one is when samples or an empty answer are behind it. "Nothing there" is an answer.
 */
export function silenceOf(regather: Ecosystem['regather'], { batches, usage }: Answers): string | null {
  const problems: Problem[] = batches.flatMap((batch) => batch.problems);
  for (const days of usage.values()) {
    for (const day of days) {
      if (day.outcome !== 'failed') return null;
      problems.push(...day.problems);
    }
  }
  const lines = batches.flatMap((batch) => batch.lines);
  if (lines.some(({ coverage }) => coverage !== null && coverage.samplesSeen > 0)) return null;
  if (regather === 'always') {
    if (lines.length > 0) return null;
    return problems.find(({ severity }) => severity === 'error')?.message ?? null;
  }
  return problems.find(isFailure)?.message ?? null;
}

function isFailure({ code }: Problem): boolean {
  return code.startsWith('CB_METRICS_') && !ANSWERED.has(code);
}
