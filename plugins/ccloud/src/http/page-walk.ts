import { ChargebackError } from '@chargeback/plugin-api';
import type { CcloudConnection, CcloudRequest, Query } from './ccloud-request.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './parse-json.ts';
import { describeRequest, unusableAnswer } from './send-request.ts';

/** Far more than any organisation has, and an end for a server that never comes to one. */
const MAX_PAGES = 10_000;

export interface Page {
  readonly items: readonly JsonValue[];
  /** The link to the next page as the server wrote it. */
  readonly next: string | null;
}

/** Reads `data` and `metadata.next`. A listing without items may say `data: null`. */
export function pageOf(answer: JsonObject, connection: CcloudConnection, request: CcloudRequest): Page {
  const { data, metadata } = answer;
  if (data !== null && !Array.isArray(data)) {
    throw unusableAnswer(connection, request, 'it has no list "data"');
  }
  const next = isJsonObject(metadata) ? metadata['next'] : null;
  return { items: data ?? [], next: typeof next === 'string' && next !== '' ? next : null };
}

/** One walk through the pages of a listing: sees when it turns in circles or is led away. */
export class PageWalk {
  readonly #connection: CcloudConnection;
  readonly #request: CcloudRequest;
  readonly #seen = new Set<string>();

  constructor(connection: CcloudConnection, request: CcloudRequest) {
    this.#connection = connection;
    this.#request = request;
  }

  /** @throws {ChargebackError} `CB_SOURCE_PAGING` for a page that was seen before. */
  enter(query: Query): void {
    const page = JSON.stringify(Object.entries(query).toSorted(([left], [right]) => (left < right ? -1 : 1)));
    if (this.#seen.has(page)) throw this.#lost(`page ${this.#seen.size + 1} is one that was seen before`);
    if (this.#seen.size >= MAX_PAGES) throw this.#lost(`there are more than ${MAX_PAGES} pages`);
    this.#seen.add(page);
  }

  /**
   * The query of the page that a link leads to. Only the link's query is used, at the address that was asked
   * first, so that credentials never go to another server.
   * @throws {ChargebackError} `CB_SOURCE_PAGING` when the link leads to a server that is not known.
   */
  queryOf(next: string, current: Query): Query {
    const base = new URL(this.#connection.baseUrl);
    if (!URL.canParse(next, base.href)) throw this.#lost('the link to the next page is not a URL');
    const link = new URL(next, base);
    if (link.origin !== base.origin && !this.#connection.knownOrigins?.includes(link.origin)) {
      throw this.#lost(`the link to the next page leads to another server, ${link.host}`);
    }
    return { ...current, ...Object.fromEntries(link.searchParams) };
  }

  #lost(what: string): ChargebackError {
    return new ChargebackError(
      'CB_SOURCE_PAGING',
      `${describeRequest(this.#connection, this.#request)}: ${what}`,
    );
  }
}
