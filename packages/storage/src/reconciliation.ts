import { compareKeys } from '@chargeback/money';
import { type DayNumber, isoDateOfDay, monthStartOfDay } from './convert.ts';
import type { DateStateName, ReconciliationGrouping, ReconciliationRow } from './store.ts';

/** What one source knows of a line or of a day, in ledger units; the parts of one key are added. */
export interface ReconciliationPart {
  readonly day: DayNumber;
  /** Null when lines are added up. */
  readonly lineId: string | null;
  readonly currency: string;
  readonly state: DateStateName;
  /** The bill as it is now. */
  readonly billed?: bigint;
  /** Of `billed`, lines whose calculation is held. */
  readonly heldBilled?: bigint;
  readonly heldLines?: number;
  /** The bill as it was when the rows were calculated, without held lines. */
  readonly accounted?: bigint;
  readonly retained?: bigint;
  readonly allocated?: bigint;
  readonly unallocated?: bigint;
}

interface Sums {
  readonly key: string;
  readonly date: string;
  readonly currency: string;
  billed: bigint;
  allocated: bigint;
  unallocated: bigint;
  retained: bigint;
  held: bigint;
  heldLines: number;
}

/**
 * Adds the parts up. `allocated` is always what the stored rows say. `held` is what is not calculated: in a
 * day whose inputs are newer than its rows, the change of the bill since the calculation (negative where it
 * became smaller); in any other day the lines that are held. `difference` is what remains, zero unless rows
 * do not add up.
 */
export function reconciliationRows(
  parts: Iterable<ReconciliationPart>,
  grouping: ReconciliationGrouping,
): ReconciliationRow[] {
  const groups = new Map<string, Sums>();
  for (const part of parts) {
    const sums = groupOf(groups, part, grouping);
    const billed = part.billed ?? 0n;
    sums.billed += billed;
    sums.allocated += part.allocated ?? 0n;
    sums.unallocated += part.unallocated ?? 0n;
    sums.retained += part.retained ?? 0n;
    sums.heldLines += part.heldLines ?? 0;
    sums.held += part.state === 'gathered' ? billed - (part.accounted ?? 0n) : (part.heldBilled ?? 0n);
  }
  return [...groups.values()]
    .map((sums) => ({ ...sums, difference: sums.billed - sums.allocated - sums.retained - sums.held }))
    .toSorted(
      (left, right) =>
        compareKeys(left.date, right.date) ||
        compareKeys(left.key, right.key) ||
        compareKeys(left.currency, right.currency),
    );
}

function groupOf(
  groups: Map<string, Sums>,
  { day, lineId, currency }: ReconciliationPart,
  grouping: ReconciliationGrouping,
): Sums {
  const date = grouping === 'month' ? monthStartOfDay(day) : isoDateOfDay(day);
  const key = grouping === 'line' ? (lineId ?? '') : grouping === 'month' ? date.slice(0, 7) : date;
  const group = JSON.stringify([date, key, currency]);
  let sums = groups.get(group);
  if (!sums) {
    const nothing = { billed: 0n, allocated: 0n, unallocated: 0n, retained: 0n, held: 0n, heldLines: 0 };
    sums = { key, date, currency, ...nothing };
    groups.set(group, sums);
  }
  return sums;
}
