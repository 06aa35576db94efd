import { QueryError } from './query-error.ts';
import { type Token, tokenize } from './query-tokens.ts';

/** Reads the tokens of a query one after another. Every `expect…` throws {@link QueryError}. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #index = 0;

  constructor(query: string) {
    this.#tokens = tokenize(query);
  }

  peek(): Token {
    return this.#tokens[this.#index]!;
  }

  peekSecond(): Token {
    return this.#tokens[this.#index + 1] ?? this.peek();
  }

  next(): Token {
    const token = this.peek();
    if (token.type !== 'end') this.#index += 1;
    return token;
  }

  takeSymbol(text: string): boolean {
    const token = this.peek();
    if (token.type !== 'symbol' || token.text !== text) return false;
    this.#index += 1;
    return true;
  }

  expectSymbol(text: string): void {
    if (!this.takeSymbol(text)) throw this.unexpected(`"${text}"`);
  }

  expectName(): string {
    if (this.peek().type !== 'name') throw this.unexpected('a label name');
    return this.next().text;
  }

  expectEnd(): void {
    if (this.peek().type !== 'end') throw this.unexpected();
  }

  /** The complaint about the token that is next. */
  unexpected(expected?: string): QueryError {
    const { type, text, position } = this.peek();
    const seen = type === 'end' ? 'end of input' : `${type} ${JSON.stringify(text)}`;
    return QueryError.at(position, `unexpected ${seen}${expected ? `, expected ${expected}` : ''}`);
  }
}
