/** A request of a client that asks often and for much. It only asks: a connection that turns out closed makes it ask again. */
export interface PlainRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** A redirect is an answer like any other: credentials must not follow it to another place. */
  readonly redirect: 'manual';
  readonly signal: AbortSignal;
}

/** What of the standard `Response` such a client needs. */
export interface PlainResponse {
  /** True for a status of 200 to 299. */
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** Decompressed. Read to its end or given up, never left: it holds its connection. */
  readonly body: AsyncIterable<Uint8Array> | null;
  text(): Promise<string>;
  json(): Promise<unknown>;
}

/**
 * The part of the standard `fetch` that costs little: text out, bytes in. The standard one is one too.
 * It rejects with the signal's reason or an error of the network, and with no status.
 */
export type PlainFetch = (url: string, request: PlainRequest) => Promise<PlainResponse>;
