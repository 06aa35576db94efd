import { compareKeys, type Weight } from '@chargeback/money';
import { UNALLOCATED } from '@chargeback/plugin-api';
import type { CalculatedLine } from '@chargeback/storage';

/**
 * What the lines of a day came to, for those lines that follow the others. Added up when the first of them asks, as on
 * most days none does; and kept only whole, as who asks may be cut off.
 */
export class AllocatedOfDay {
  readonly #linesOf: () => readonly CalculatedLine[];
  #held: number | undefined;
  #weights: ReadonlyMap<string, Weight> | undefined;

  /** @param linesOf the others, once all of them are calculated. */
  constructor(linesOf: () => readonly CalculatedLine[]) {
    this.#linesOf = linesOf;
  }

  /** Lines without rows yet: what follows them cannot be known. */
  get held(): number {
    return (this.#held ??= this.#linesOf().filter(({ state }) => state === 'held').length);
  }

  /** See `AllocationContext.allocatedOfDay`. A map of their own for each that asks: an allocator may change it. */
  weights(): ReadonlyMap<string, Weight> {
    return new Map((this.#weights ??= weightsOf(this.#linesOf())));
  }
}

function weightsOf(lines: readonly CalculatedLine[]): ReadonlyMap<string, Weight> {
  const sums = new Map<string, bigint>();
  for (const { portions } of lines) {
    for (const { identityIds, units } of portions) {
      for (const [index, identityId] of identityIds.entries()) {
        sums.set(identityId, (sums.get(identityId) ?? 0n) + units[index]!);
      }
    }
  }
  const positive = [...sums].filter(([identityId, units]) => units > 0n && identityId !== UNALLOCATED);
  return new Map(positive.toSorted(([left], [right]) => compareKeys(left, right)));
}
