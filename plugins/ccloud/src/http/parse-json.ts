/** What an answer is made of. With exact numbers every number is its source text. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Strings with their end, or to the end of the text; numbers but for those where a name must be; and what some servers
 * write where JSON has no word for it. In quotes these are what they were, and what was no JSON stays none.
 */
const TOKEN =
  /"[^"\\]*(?:\\.[^"\\]*)*("|\\?$)|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\s*:)|-?\b(?:NaN|Infinity)\b/gs;

/**
 * Parses an answer; undefined when it is not JSON. With `exactNumbers` numbers come as their source text, so
 * that no amount goes through a binary float, and the words NaN and Infinity as text too: they are a matter
 * of the row they are in, not of its whole page.
 */
export function parseJson(text: string, { exactNumbers }: { exactNumbers: boolean }): JsonValue | undefined {
  try {
    // A reviver, which also sees the sources, takes longer.
    return JSON.parse(exactNumbers ? text.replace(TOKEN, quoted) : text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** A string, of which an end was found, as it is; anything else in quotes. */
function quoted(token: string, end: string | undefined): string {
  return end === undefined ? `"${token}"` : token;
}
