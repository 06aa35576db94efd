import { bytesAnswer, jsonAnswer, type SimulatorAnswer } from '../simulator/simulator-request.ts';

/** A request as the simulator, its fault plans and its tests see it. */
export interface ConfluentRequest {
  /** 1 for the first request since the start. */
  readonly number: number;
  readonly method: string;
  /** Which interface it speaks to. */
  readonly endpoint: ConfluentEndpoint;
  /** `https://api.confluent.cloud`. */
  readonly origin: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body's text; empty for none. */
  readonly body: string;
}

export type ConfluentEndpoint =
  | 'costs'
  | 'organizations'
  | 'environments'
  | 'clusters'
  | 'connectors'
  | 'schema_registries'
  | 'ksqldb_clusters'
  | 'compute_pools'
  | 'statements'
  | 'tableflow_topics'
  | 'service_accounts'
  | 'users'
  | 'api_keys'
  | 'identity_providers'
  | 'identity_pools'
  | 'certificate_authorities'
  | 'certificate_pools'
  | 'group_mappings'
  | 'metrics_api'
  | 'prometheus'
  | 'unknown';

/** A listing before it is cut into pages. */
export interface ListingAnswer {
  readonly length: number;
  /** The JSON text of an item. */
  readonly textAt: (index: number) => string;
  readonly defaultPageSize: number;
  readonly largestPageSize: number;
}

/** A refusal in the vendor's form. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export function refused({ status, code, message }: Refusal): SimulatorAnswer {
  return jsonAnswer(status, {
    errors: [
      { id: '0f1e2d3c4b5a69788796a5b4c3d2e1f0', status: String(status), code, detail: message, source: {} },
    ],
  });
}

/** Cuts the page that a request asks for. Throws {@link Refusal}. */
export function pageOf(request: ConfluentRequest, listing: ListingAnswer): Page {
  const { length, textAt, defaultPageSize, largestPageSize } = listing;
  const size = pageSize(request.query['page_size'], defaultPageSize, largestPageSize);
  const token = request.query['page_token'];
  const from = token === undefined ? 0 : offsetOf(token);
  if (from > length) throw new Refusal(400, 'invalid_page_token', 'the page token has expired');
  const to = Math.min(from + size, length);
  return {
    items: Array.from({ length: to - from }, (_, index) => textAt(from + index)),
    next: to < length ? linkTo(request, tokenOf(to)) : null,
    first: linkTo(request, null),
    total: length,
  };
}

export interface Page {
  readonly items: readonly string[];
  readonly next: string | null;
  readonly first: string;
  readonly total: number;
}

export function pageAnswer({ items, next, first, total }: Page): SimulatorAnswer {
  const metadata = JSON.stringify({ first, next: next ?? '', total_size: total });
  const text = `{"api_version":"v2","kind":"List","metadata":${metadata},"data":[${items.join(',')}]}`;
  return bytesAnswer(200, new TextEncoder().encode(text));
}

/** The link to the page with this token, at the same address with the same parameters. */
export function linkTo({ origin, path, query }: ConfluentRequest, token: string | null): string {
  const { page_token: _, ...rest } = query;
  const parameters = new URLSearchParams({ ...rest, ...(token === null ? {} : { page_token: token }) });
  return `${origin}${path}?${parameters.toString()}`;
}

export function tokenOf(offset: number): string {
  return Buffer.from(`offset:${offset}`).toString('base64url');
}

export function offsetOf(token: string): number {
  const offset = /^offset:(\d{1,9})$/.exec(Buffer.from(token, 'base64url').toString())?.[1];
  if (offset === undefined) throw new Refusal(400, 'invalid_page_token', 'the page token is not valid');
  return Number(offset);
}

function pageSize(text: string | undefined, fallback: number, largest: number): number {
  if (text === undefined) return fallback;
  const size = Number(text);
  if (Number.isInteger(size) && size >= 1 && size <= largest) return size;
  throw new Refusal(400, 'invalid_page_size', `page_size must be from 1 to ${largest}`);
}
