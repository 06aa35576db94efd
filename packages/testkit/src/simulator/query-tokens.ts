import { QueryError } from './query-error.ts';

export interface Token {
  readonly type: 'name' | 'number' | 'string' | 'range' | 'symbol' | 'end';
  /** The name, the symbol, the number's text, the string's content, or what stands between the brackets. */
  readonly text: string;
  /** Characters before it in the query. */
  readonly position: number;
}

const SPACE = /(?:\s|#[^\n]*)+/y;
const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const NUMBER = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const RANGE = /\[([^\]]*)\]/y;
const QUOTED = /"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|`([^`]*)`/y;
const SYMBOL = /=~|!=|!~|>=|[-(){},=*/+@^%<>]/y;

/** Splits a query. Throws {@link QueryError}. */
export function tokenize(query: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    return pattern.exec(query);
  };
  const push = (type: Token['type'], text: string, length: number): void => {
    tokens.push({ type, text, position });
    position += length;
  };
  while (position < query.length) {
    const space = take(SPACE);
    if (space) {
      position += space[0].length;
      continue;
    }
    const name = take(NAME);
    const number = name ? null : take(NUMBER);
    const range = name || number ? null : take(RANGE);
    const quoted = name || number || range ? null : take(QUOTED);
    const symbol = name || number || range || quoted ? null : take(SYMBOL);
    if (name) push('name', name[0], name[0].length);
    else if (number) push('number', number[0], number[0].length);
    else if (range) push('range', range[1]!.trim(), range[0].length);
    else if (quoted) push('string', quoted[3] ?? unescape(quoted[1] ?? quoted[2]!), quoted[0].length);
    else if (symbol) push('symbol', symbol[0], symbol[0].length);
    else throw QueryError.at(position, `unexpected character: ${JSON.stringify(query[position])}`);
  }
  tokens.push({ type: 'end', text: '', position });
  return tokens;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unescape(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_, code: string | undefined, character: string) =>
    code ? String.fromCharCode(Number.parseInt(code, 16)) : (ESCAPES[character] ?? character),
  );
}
