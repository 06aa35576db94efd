import type { PlainFetch } from '@chargeback/plugin-api';

/** A request as it can be sent once more. */
export interface SentRequest {
  /** Path and query. */
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** A network that keeps what was sent. */
export function recordingFetch(fetch: PlainFetch, sent: SentRequest[]): PlainFetch {
  return (url, request) => {
    const { method, headers, body = null } = request;
    sent.push({ path: url.slice(new URL(url).origin.length), method, headers, body });
    return fetch(url, request);
  };
}
