import { parseDuration } from './durations.ts';
import { QueryError } from './query-error.ts';
import { parseSelector } from './parse-selector.ts';
import type {
  AggregateOperator,
  ArithmeticOperator,
  Expression,
  RangeOperator,
  Selector,
} from './query-syntax.ts';
import { TokenReader } from './token-reader.ts';

const AGGREGATES: ReadonlySet<string> = new Set(['sum', 'avg', 'min', 'max', 'count', 'group']);
const OVER_TIME = /^(sum|avg|min|max|count|last|present)_over_time$/;
/** A subquery without a step takes the server's evaluation interval, which is this by default. */
const DEFAULT_SUBQUERY_STEP = 60_000;

/**
 * Understands the part of PromQL that the plugins send; see the package's README for the shapes. Throws
 * {@link QueryError} for everything else, so that no query is answered with a wrong or an empty result.
 */
export function parseQuery(query: string): Expression {
  const tokens = new TokenReader(query);
  if (tokens.peek().type === 'end') throw QueryError.at(0, 'no expression found in input');
  const expression = parseExpression(tokens);
  if (tokens.peek().type === 'range') {
    throw new QueryError(
      'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    );
  }
  tokens.expectEnd();
  return expression;
}

/** Loosest first, as in PromQL. */
const BINDING: readonly (readonly string[])[] = [['>='], ['+'], ['*', '/']];

function parseExpression(tokens: TokenReader, level = 0): Expression {
  const symbols = BINDING[level];
  if (!symbols) return parseOperand(tokens);
  let expression = parseExpression(tokens, level + 1);
  for (;;) {
    const { type, text } = tokens.peek();
    if (type !== 'symbol' || !symbols.includes(text)) return expression;
    tokens.next();
    const operator = operatorOf(tokens, text);
    const operand = tokens.next();
    if (operand.type !== 'number') {
      throw QueryError.at(operand.position, 'the simulator calculates and compares with a number only');
    }
    expression = { type: 'arithmetic', expression, operator, operand: Number(operand.text) };
  }
}

function operatorOf(tokens: TokenReader, symbol: string): ArithmeticOperator {
  if (symbol !== '>=') return symbol as ArithmeticOperator;
  const { text, position } = tokens.next();
  if (text !== 'bool') throw QueryError.at(position, 'the simulator compares with "bool" only');
  return '>= bool';
}

function parseOperand(tokens: TokenReader): Expression {
  const token = tokens.peek();
  if (tokens.takeSymbol('(')) {
    const expression = parseExpression(tokens);
    tokens.expectSymbol(')');
    return expression;
  }
  if (token.type === 'name') {
    const following = tokens.peekSecond();
    const name = token.text.toLowerCase();
    if (AGGREGATES.has(name) && (following.text === '(' || following.text.toLowerCase() === 'by')) {
      return parseAggregate(tokens, name as AggregateOperator);
    }
    if (following.type === 'symbol' && following.text === '(') return parseCall(tokens);
    return parseSelector(tokens);
  }
  if (token.type === 'symbol' && token.text === '{') return parseSelector(tokens);
  throw tokens.unexpected();
}

/** `sum by (a, b) (…)`, `sum (…) by (a, b)` and `sum(…)`. */
function parseAggregate(tokens: TokenReader, operator: AggregateOperator): Expression {
  tokens.next();
  const before = parseBy(tokens);
  tokens.expectSymbol('(');
  const expression = parseExpression(tokens);
  tokens.expectSymbol(')');
  const by = before ?? parseBy(tokens) ?? [];
  return { type: 'aggregate', operator, by, expression };
}

function parseBy(tokens: TokenReader): string[] | null {
  if (tokens.peek().type !== 'name' || tokens.peek().text.toLowerCase() !== 'by') return null;
  tokens.next();
  tokens.expectSymbol('(');
  const labels: string[] = [];
  while (!tokens.takeSymbol(')')) {
    labels.push(tokens.expectName());
    if (!tokens.takeSymbol(',')) {
      tokens.expectSymbol(')');
      break;
    }
  }
  return labels;
}

function parseCall(tokens: TokenReader): Expression {
  const { text: name, position } = tokens.next();
  if (name === 'vector') return parseTime(tokens);
  if (name === 'label_replace') return parseLabelReplace(tokens);
  const overTime = OVER_TIME.exec(name);
  if (name !== 'increase' && name !== 'rate' && !overTime) {
    throw QueryError.at(position, `the simulator has no function with name "${name}"`);
  }
  tokens.expectSymbol('(');
  const argument = parseExpression(tokens);
  const range = tokens.next();
  if (range.type !== 'range') {
    const message = `expected type range vector in call to function "${name}", got instant vector`;
    throw QueryError.at(position + name.length + 1, message);
  }
  tokens.expectSymbol(')');
  const [rangeText = '', stepText] = range.text.split(':').map((part) => part.trim());
  const milliseconds = positive(rangeText, range.position);
  if (stepText === undefined) {
    const selector = selectorOf(argument, range.position);
    return overTime
      ? { type: 'overTime', operator: overTime[1] as RangeOperator, selector, range: milliseconds }
      : { type: 'counter', perSecond: name === 'rate', selector, range: milliseconds };
  }
  if (!overTime) throw QueryError.at(position, `the simulator takes no subquery in "${name}"`);
  const step = stepText === '' ? DEFAULT_SUBQUERY_STEP : positive(stepText, range.position);
  const operator = overTime[1] as RangeOperator;
  return { type: 'subquery', operator, expression: argument, range: milliseconds, step };
}

/** What follows `vector`. */
function parseTime(tokens: TokenReader): Expression {
  tokens.expectSymbol('(');
  const { text, position } = tokens.next();
  if (text !== 'time') throw QueryError.at(position, 'the simulator makes a vector of time() only');
  for (const symbol of ['(', ')', ')']) tokens.expectSymbol(symbol);
  return { type: 'time' };
}

/** What follows `label_replace`. */
function parseLabelReplace(tokens: TokenReader): Expression {
  tokens.expectSymbol('(');
  const expression = parseExpression(tokens);
  const texts: string[] = [];
  while (texts.length < 4) {
    tokens.expectSymbol(',');
    if (tokens.peek().type !== 'string') throw tokens.unexpected('a string');
    texts.push(tokens.next().text);
  }
  tokens.expectSymbol(')');
  const [label = '', replacement = '', source = '', pattern = ''] = texts;
  return {
    type: 'labelReplace',
    expression,
    label,
    replacement,
    source,
    pattern: new RegExp(`^(?:${pattern})$`, 's'),
  };
}

function selectorOf(expression: Expression, position: number): Selector {
  if (expression.type === 'selector') return expression;
  throw QueryError.at(position, 'ranges only allowed for vector selectors');
}

function positive(duration: string, position: number): number {
  const milliseconds = parseDuration(duration);
  if (milliseconds !== null && milliseconds > 0) return milliseconds;
  throw QueryError.at(position, `not a valid duration string: ${JSON.stringify(duration)}`);
}
