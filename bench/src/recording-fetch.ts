import type { Fetch } from '@chargeback/plugin-api';

/** A request as it can be sent once more. */
export interface SentRequest {
  /** Path and query. */
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** The machine's `fetch`, which keeps what was sent. */
export function recordingFetch(sent: SentRequest[]): Fetch {
  return async (input, init) => {
    if (input instanceof Request) throw new Error('the benchmark records addresses, not Request objects');
    const { pathname, search } = new URL(input);
    sent.push({
      path: `${pathname}${search}`,
      method: init?.method ?? 'GET',
      headers: Object.fromEntries(new Headers(init?.headers)),
      body: init?.body === undefined || init.body === null ? null : String(init.body as string),
    });
    return fetch(input, init);
  };
}
