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
  readonly #totals = new Map<string, ReadonlyMap<string, Totals> | null>();

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
    const missingDays = stored.length - known.length;
    const answer = {
      totals: inKeyOrder(this.#totalsOf(queryKey, known, scope)),
      coverage: coverageOf(known, missingDays),
      outcome: outcomeOf(known, missingDays),
    };
    ofQuery.set(scope, answer);
    return answer;
  }

  #totalsOf(queryKey: string, days: readonly StoredUsage[], scope: string | null): Totals {
    if (scope === null) return totalsOf(days, null);
    let byResource = this.#totals.get(queryKey);
    if (byResource === undefined) this.#totals.set(queryKey, (byResource = totalsByResource(days)));
    return byResource ? (byResource.get(scope) ?? new Map()) : totalsOf(days, scope);
  }
}

type Totals = Map<string, number>;

/** Of every resource in one pass; null where a day's rows name none, which then count for all. */
function totalsByResource(days: readonly StoredUsage[]): Map<string, Totals> | null {
  const byResource = new Map<string, Totals>();
  for (const { resourceIds, identityIds, values } of days) {
    if (resourceIds === null) return null;
    let before: string | undefined;
    let totals: Totals = new Map();
    for (let index = 0; index < identityIds.length; index += 1) {
      const resourceId = resourceIds[index]!;
      // Rows are stored resource by resource.
      if (resourceId !== before) {
        before = resourceId;
        totals = byResource.get(resourceId) ?? new Map();
        byResource.set(resourceId, totals);
      }
      const identityId = identityIds[index]!;
      totals.set(identityId, (totals.get(identityId) ?? 0) + values[index]!);
    }
  }
  return byResource;
}

function totalsOf(days: readonly StoredUsage[], scope: string | null): Totals {
  const totals = new Map<string, number>();
  for (const { resourceIds, identityIds, values } of days) {
    for (let index = 0; index < identityIds.length; index += 1) {
      if (resourceIds !== null && resourceIds[index] !== scope) continue;
      const identityId = identityIds[index]!;
      totals.set(identityId, (totals.get(identityId) ?? 0) + values[index]!);
    }
  }
  return totals;
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
