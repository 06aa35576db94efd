import { formatUnits } from '@chargeback/money';
import {
  type BillingLineItem,
  type IsoDate,
  makeProblem,
  type Problem,
  type Resource,
} from '@chargeback/plugin-api';
import type { CalculatedLine, StoredDay } from '@chargeback/storage';
import type { AllocatedOfDay } from './allocated-of-day.ts';
import type { TenantContext } from './tenant-context.ts';

/** What a line lacks: samples behind its cost, or usage behind its allocation. */
export interface Gap {
  readonly what: string;
  readonly lineId: string;
  /** True when something was seen, so that an estimate has something to go by. */
  readonly partly: boolean;
  /** True when not one sample speaks of the cost itself: settling it would bill a silent zero. */
  readonly costUnknown: boolean;
}

export function gapProblem(gap: Gap, date: IsoDate, severity: Problem['severity']): Problem {
  const what = severity === 'error' ? 'is held' : 'was allocated with what there is';
  return makeProblem('CB_USAGE_INCOMPLETE', `line ${gap.lineId} ${what}: ${gap.what}`, {
    severity,
    date,
    path: gap.lineId,
    ...(gap.costUnknown ? { fix: NO_SAMPLES_FIX } : {}),
  });
}

const NO_SAMPLES_FIX =
  'Check the query with `chargeback doctor`. Days that the metrics server no longer keeps: set lookback_days to what it keeps.';

interface FollowingLine {
  readonly line: BillingLineItem;
  readonly day: StoredDay;
  readonly others: AllocatedOfDay;
}

export function followsHeld({ line, day, others }: FollowingLine): Problem {
  const message = `line ${line.lineId} is held: it follows what the other lines of ${day.date} were allocated, and ${others.held} of them are held`;
  const fix = 'Nothing of its own: it is calculated as soon as those lines are.';
  return makeProblem('CB_USAGE_INCOMPLETE', message, {
    severity: 'error',
    date: day.date,
    path: line.lineId,
    fix,
  });
}

export function unknownProducts(context: TenantContext, day: StoredDay): Problem[] {
  const unknown = new Set(day.lines.map(({ productType }) => productType));
  for (const productType of context.wiring.productTypes()) unknown.delete(productType);
  return [...unknown].toSorted().map((productType) =>
    makeProblem(
      'CB_ALLOCATION_UNKNOWN_PRODUCT',
      `product type ${productType} has no route; the fallback took it`,
      {
        date: day.date,
        path: productType,
      },
    ),
  );
}

interface DayLines {
  readonly day: StoredDay;
  readonly lines: readonly CalculatedLine[];
  readonly lifetimesOf: (resourceId: string) => readonly Resource[];
}

/**
 * Of the lines that their source billed itself those of which nothing is allocated, because their resource did not
 * exist: by resource and currency. Nobody should have to find that out by adding up.
 */
export function whollyRetained({ day, lines, lifetimesOf }: DayLines): Problem[] {
  const results = new Map(lines.map((line) => [line.lineId, line]));
  const found = new Map<string, { resourceId: string; currency: string; units: bigint; count: number }>();
  for (const { lineId, resourceId, coverage, totalCost } of day.lines) {
    const { units, currency } = totalCost;
    const isRetained = units !== 0n && results.get(lineId)?.retainedUnits === units;
    if (resourceId === null || coverage !== null || !isRetained) continue;
    const key = JSON.stringify([resourceId, currency]);
    const sum = found.get(key) ?? { resourceId, currency, units: 0n, count: 0 };
    found.set(key, { ...sum, units: sum.units + units, count: sum.count + 1 });
  }
  return [...found.values()].map(({ resourceId, currency, units, count }) => {
    const what = `${count} ${count === 1 ? 'line' : 'lines'} of ${resourceId}, ${formatUnits(units)} ${currency}`;
    const existed = lifetimesOf(resourceId).map(lifetimeText).join(' and ');
    const message = `${what}: retained, because it existed ${existed}`;
    return makeProblem('CB_BILLING_LIFETIME', message, { date: day.date, path: resourceId });
  });
}

function lifetimeText({ createdAt, deletedAt }: Resource): string {
  const from = createdAt === null ? '' : `from ${createdAt.toISOString()}`;
  const until = deletedAt === null ? '' : `until ${deletedAt.toISOString()}`;
  return `${from} ${until}`.trim();
}
