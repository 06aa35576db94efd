import { compareKeys, type Weight } from '@chargeback/money';
import { UNALLOCATED } from '@chargeback/plugin-api';
import type { CalculatedLine } from '@chargeback/storage';

/** Collects what the lines of a day come to, for those lines that follow the others. */
export class AllocatedOfDay {
  readonly #units = new Map<string, bigint>();
  /** Added up when somebody asks: on most days no line follows others. */
  #waiting: CalculatedLine[] = [];
  #held = 0;

  add(line: CalculatedLine): void {
    if (line.state === 'held') this.#held += 1;
    this.#waiting.push(line);
  }

  /** Lines without rows yet: what follows them cannot be known. */
  get held(): number {
    return this.#held;
  }

  /** See `AllocationContext.allocatedOfDay`. */
  weights(): ReadonlyMap<string, Weight> {
    this.#addUp();
    const positive = [...this.#units].filter(
      ([identityId, units]) => units > 0n && identityId !== UNALLOCATED,
    );
    return new Map(positive.toSorted(([left], [right]) => compareKeys(left, right)));
  }

  #addUp(): void {
    for (const { portions } of this.#waiting) {
      for (const { identityIds, units } of portions) {
        for (const [index, identityId] of identityIds.entries()) {
          this.#units.set(identityId, (this.#units.get(identityId) ?? 0n) + units[index]!);
        }
      }
    }
    this.#waiting = [];
  }
}
