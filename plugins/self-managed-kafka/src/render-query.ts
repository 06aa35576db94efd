/** What the placeholders of a query stand for. */
export interface QueryValues {
  /** The tenant's matchers without braces; may be empty. */
  readonly matchers: string;
  readonly label: string;
  /** Seconds between samples, and so the range of each. */
  readonly stepSeconds: number;
  readonly windowHours: number;
}

const PLACEHOLDERS = ['selector', 'label', 'step', 'instants', 'instant_seconds', 'window'] as const;
const PLACEHOLDER = /\{([a-z_]+)\}/g;
/** Rates are read at most this often. */
const LONGEST_INSTANT = 60;

/** Fills the placeholders of a query. */
export function renderQuery(
  template: string,
  { matchers, label, stepSeconds, windowHours }: QueryValues,
): string {
  const instant = greatestCommonDivisor(stepSeconds, LONGEST_INSTANT);
  const values: Record<string, string> = {
    selector: matchers,
    label,
    step: `${stepSeconds}s`,
    // Versions disagree on whether a range includes its beginning: a little less holds the same instants in all.
    instants: `${stepSeconds * 1000 - 1}ms:${instant}s`,
    instant_seconds: String(instant),
    window: `${windowHours}h`,
  };
  const filled = matchers === '' ? template.replaceAll(/,\s*\{selector\}|\{selector\}\s*,/g, '') : template;
  return filled.replaceAll(PLACEHOLDER, (found, name: string) => values[name] ?? found);
}

/** The placeholders that a query of the tenant's own may and may not use. */
export function placeholdersIn(query: string): { unknown: string[]; known: string[] } {
  const names = [...query.matchAll(PLACEHOLDER)].map(([, name = '']) => name);
  const known = PLACEHOLDERS as readonly string[];
  return {
    unknown: names.filter((name) => !known.includes(name)).map(braced),
    known: known.map(braced),
  };
}

function braced(name: string): string {
  return `{${name}}`;
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right);
}
