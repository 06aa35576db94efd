const FIRST_MILLISECONDS = 900_000;
const GROWTH = 4;
const LONGEST_MILLISECONDS = 86_400_000;

/** How long the next try waits after so many: 15 minutes, one hour, four, sixteen, then a day each. */
export function backOff(tries: number): number {
  return Math.min(FIRST_MILLISECONDS * GROWTH ** Math.max(0, tries - 1), LONGEST_MILLISECONDS);
}
