/** What an answer is made of. With exact numbers every number is its source text. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Strings, or what some servers write where JSON has no word for it. */
const STRING_OR_NOT_A_NUMBER = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/gs;

/**
 * Parses an answer; undefined when it is not JSON. With `exactNumbers` numbers come as their source text, so
 * that no amount goes through a binary float, and the words NaN and Infinity as text too: they are a matter
 * of the row they are in, not of its whole page.
 */
export function parseJson(text: string, { exactNumbers }: { exactNumbers: boolean }): JsonValue | undefined {
  if (!exactNumbers) return attempt(() => JSON.parse(text) as JsonValue);
  const parseExact = (source: string) => attempt(() => parseWithSource(source, sourceOfNumbers));
  return (
    parseExact(text) ??
    parseExact(text.replace(STRING_OR_NOT_A_NUMBER, (word) => (word.startsWith('"') ? word : `"${word}"`)))
  );
}

/** The type library does not know the third parameter of a reviver yet. */
const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
) => JsonValue;

function sourceOfNumbers(_key: string, value: unknown, context: { source?: string }): unknown {
  return typeof value === 'number' ? context.source : value;
}

function attempt(parse: () => JsonValue): JsonValue | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
