import type { Coverage, Usage, UsageOutcome } from '@chargeback/plugin-api';
import { compareKeys } from '@chargeback/money';
import type { StoredUsage } from '@chargeback/storage';

const NOT_CONFIGURED: Usage = {
  totals: new Map(),
  coverage: { samplesSeen: 0, samplesExpected: 0 },
  outcome: 'not_configured',
};

/** The stored usage of the days of one window, answered per query and resource. */
export class UsageView {
  readonly #days: readonly ReadonlyMap<string, StoredUsage>[];
  readonly #answers = new Map<string, Map<string | null, Usage>>();

  constructor(days: readonly ReadonlyMap<string, StoredUsage>[]) {
    this.#days = days;
  }

  /** Usage of a query for one resource; the whole tenant's where the query has no resource label. */
  usage(queryKey: string, resourceId: string | null): Usage {
    const stored = this.#days.map((day) => day.get(queryKey));
    const known = stored.filter((usage) => usage !== undefined);
    if (known.length === 0) return NOT_CONFIGURED;
    const scope = known.every(({ resourceIds }) => resourceIds === null) ? null : resourceId;
    const ofQuery = this.#answers.get(queryKey) ?? new Map<string | null, Usage>();
    this.#answers.set(queryKey, ofQuery);
    const cached = ofQuery.get(scope);
    if (cached) return cached;
    const answer = addUp(known, scope, stored.length - known.length);
    ofQuery.set(scope, answer);
    return answer;
  }
}

function addUp(days: readonly StoredUsage[], scope: string | null, missingDays: number): Usage {
  const totals = new Map<string, number>();
  for (const { resourceIds, identityIds, values } of days) {
    for (let index = 0; index < identityIds.length; index += 1) {
      if (resourceIds !== null && resourceIds[index] !== scope) continue;
      const identityId = identityIds[index]!;
      totals.set(identityId, (totals.get(identityId) ?? 0) + values[index]!);
    }
  }
  return {
    totals: inKeyOrder(totals),
    coverage: coverageOf(days, missingDays),
    outcome: outcomeOf(days, missingDays),
  };
}

/** Stored usage mostly is in order, and looking costs less than sorting. */
function inKeyOrder(totals: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  let before: string | null = null;
  for (const key of totals.keys()) {
    if (before !== null && before > key) {
      return new Map([...totals].toSorted(([left], [right]) => compareKeys(left, right)));
    }
    before = key;
  }
  return totals;
}

function coverageOf(days: readonly StoredUsage[], missingDays: number): Coverage {
  let samplesSeen = 0;
  let samplesExpected = 0;
  for (const { coverage } of days) {
    samplesSeen += coverage.samplesSeen;
    samplesExpected += coverage.samplesExpected;
  }
  const perDay = days.length === 0 ? 0 : samplesExpected / days.length;
  return { samplesSeen, samplesExpected: samplesExpected + Math.round(perDay * missingDays) };
}

function outcomeOf(days: readonly StoredUsage[], missingDays: number): UsageOutcome {
  if (missingDays === 0 && days.every(({ outcome }) => outcome === 'complete')) return 'complete';
  return days.every(({ outcome }) => outcome === 'failed') ? 'failed' : 'partial';
}
