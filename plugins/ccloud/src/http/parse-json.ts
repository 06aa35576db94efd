/** What an answer is made of. With exact numbers every number is its source text. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Outside of strings: numbers but for those where a name must be, and what some servers write where JSON has no word for
 * it. In quotes these are what they were, and what was no JSON stays none.
 */
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\s*:)|-?\b(?:NaN|Infinity)\b/y;

/**
 * Parses an answer; undefined when it is not JSON. With `exactNumbers` numbers come as their source text, so
 * that no amount goes through a binary float, and the words NaN and Infinity as text too: they are a matter
 * of the row they are in, not of its whole page.
 */
export function parseJson(text: string, { exactNumbers }: { exactNumbers: boolean }): JsonValue | undefined {
  try {
    // A reviver, which also sees the sources, takes longer.
    return JSON.parse(exactNumbers ? withQuotedNumbers(text) : text) as JsonValue;
  } catch {
    return undefined;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A pattern for strings too would be called for each of them, and most of an answer is strings. */
function withQuotedNumbers(text: string): string {
  let quoted = '';
  let taken = 0;
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (!mayBeginNumber(code)) at += 1;
    else {
      NUMBER.lastIndex = at;
      const end = NUMBER.test(text) ? NUMBER.lastIndex : null;
      if (end !== null) {
        quoted += `${text.slice(taken, at)}"${text.slice(at, end)}"`;
        taken = end;
      }
      at = end ?? at + 1;
    }
  }
  return quoted + text.slice(taken);
}

/** A digit, a minus, or the first letter of one of the words. */
function mayBeginNumber(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x49 || code === 0x4e;
}

/** Behind the quote that ends it, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end;
    while (text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 0) return end + 1;
  }
  return text.length;
}
