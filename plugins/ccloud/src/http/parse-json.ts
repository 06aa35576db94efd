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
  const parse = (source: string) => attempt(() => JSON.parse(source) as JsonValue);
  if (!exactNumbers) return parse(text);
  const parseExact = (source: string) => attempt(() => JSON.parse(withNumbersQuoted(source)) as JsonValue);
  return (
    parseExact(text) ??
    parseExact(text.replace(STRING_OR_NOT_A_NUMBER, (word) => (word.startsWith('"') ? word : `"${word}"`)))
  );
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const COLON_NEXT = /[ \t\n\r]*:/y;

/**
 * Every number as a string of its own text: a reviver, which also sees the sources, takes four times as long. What
 * was no JSON stays none.
 * @throws {SyntaxError} where a number is the name of a member, which as a string it could be.
 */
function withNumbersQuoted(text: string): string {
  let quoted = '';
  let copied = 0;
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
    } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      NUMBER.lastIndex = at;
      const number = NUMBER.exec(text)?.[0];
      if (number === undefined) throw new SyntaxError('a minus without a number');
      quoted += `${text.slice(copied, at)}"${number}"`;
      at += number.length;
      copied = at;
      COLON_NEXT.lastIndex = at;
      if (COLON_NEXT.test(text)) throw new SyntaxError('a number where a name must be');
    } else {
      at += 1;
    }
  }
  return quoted + text.slice(copied);
}

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;

/** Index behind the string that begins here. @throws {SyntaxError} when it has no end. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    // After an odd number of backslashes it is part of the string.
    if ((end - before) % 2 === 1) return end + 1;
  }
  throw new SyntaxError('a string without end');
}

function attempt(parse: () => JsonValue): JsonValue | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
