import { distance } from 'fastest-levenshtein';

/**
 * The name that was probably meant, or undefined when none is near: at most a third of the letters, rounded up, differ.
 * Case, dashes and spaces do not count.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  // Comparing a text with each candidate is quadratic in its length; no name is that long.
  if (name.length > 100) return undefined;
  const wanted = normalise(name);
  let best: string | undefined;
  let bestDistance = Math.ceil(wanted.length / 3) + 1;
  for (const candidate of candidates) {
    const away = distance(wanted, normalise(candidate));
    if (away < bestDistance) {
      best = candidate;
      bestDistance = away;
    }
  }
  return best;
}

function normalise(name: string): string {
  return name.toLowerCase().replaceAll(/[-\s]/gu, '_');
}
