import { QueryError } from './query-error.ts';
import type { Matcher, Selector } from './query-syntax.ts';
import type { Token } from './query-tokens.ts';
import type { TokenReader } from './token-reader.ts';

const OPERATORS: ReadonlySet<string> = new Set(['=', '!=', '=~', '!~']);

/** `name`, `name{a="1", b=~"x.*"}` or `{__name__="name"}`. Throws {@link QueryError}. */
export function parseSelector(tokens: TokenReader): Selector {
  const { position } = tokens.peek();
  const matchers: Matcher[] = [];
  if (tokens.peek().type === 'name') matchers.push(equals('__name__', tokens.next().text));
  if (tokens.takeSymbol('{')) {
    while (!tokens.takeSymbol('}')) {
      matchers.push(parseMatcher(tokens));
      if (!tokens.takeSymbol(',')) {
        tokens.expectSymbol('}');
        break;
      }
    }
  }
  if (matchers.every(({ matchesEmpty }) => matchesEmpty)) {
    throw QueryError.at(position, 'vector selector must contain at least one non-empty matcher');
  }
  return { type: 'selector', matchers };
}

function parseMatcher(tokens: TokenReader): Matcher {
  const label = tokens.expectName();
  const operator = tokens.next();
  if (operator.type !== 'symbol' || !OPERATORS.has(operator.text)) {
    throw QueryError.at(operator.position, `unexpected ${JSON.stringify(operator.text)} in label matching`);
  }
  const value = tokens.next();
  if (value.type !== 'string') {
    throw QueryError.at(value.position, 'unexpected label value in label matching, expected string');
  }
  if (operator.text === '=') return equals(label, value.text);
  if (operator.text === '!=') return matcher(label, (actual) => actual !== value.text);
  const pattern = anchored(value);
  return operator.text === '=~'
    ? matcher(label, (actual) => pattern.test(actual))
    : matcher(label, (actual) => !pattern.test(actual));
}

function equals(label: string, value: string): Matcher {
  return matcher(label, (actual) => actual === value);
}

function matcher(label: string, matches: (value: string) => boolean): Matcher {
  return { label, matches, matchesEmpty: matches('') };
}

/** Prometheus matches a pattern against the whole value. */
function anchored({ text, position }: Token): RegExp {
  try {
    return new RegExp(`^(?:${text})$`, 'su');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw QueryError.at(position, `error parsing regexp: ${reason}`);
  }
}
