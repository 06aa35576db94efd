import type { Fetch, PlainFetch, PluginHost } from '@chargeback/plugin-api';

/** How an HTTP request ended. `failed`: without an answer. `aborted`: because we no longer wanted it. */
export type RequestOutcome =
  | 'success'
  | 'rate_limited'
  | 'client_error'
  | 'server_error'
  | 'failed'
  | 'aborted';

type Observe = (outcome: RequestOutcome) => void;

/** A fetch that tells how each of its requests ended. Redirects that are followed are one request. */
export function observedFetch(fetch: Fetch, observe: Observe): Fetch {
  return (input, init) => {
    const signal = init?.signal ?? (input instanceof Request ? input.signal : null);
    return observed(() => fetch(input, init), { signal, observe });
  };
}

function observedPlainFetch(fetch: PlainFetch, observe: Observe): PlainFetch {
  return (url, request) => observed(() => fetch(url, request), { signal: request.signal, observe });
}

async function observed<Answer extends { readonly status: number }>(
  send: () => Promise<Answer>,
  { signal, observe }: { signal: AbortSignal | null; observe: Observe },
): Promise<Answer> {
  try {
    const response = await send();
    observe(outcomeOf(response.status));
    return response;
  } catch (cause) {
    observe(signal?.aborted ? 'aborted' : 'failed');
    throw cause;
  }
}

/** A host whose connections, also those with options of their own, tell how their requests ended. */
export function observedHost<Host extends Pick<PluginHost, 'fetch' | 'createFetch'>>(
  host: Host,
  observe: Observe,
): Host {
  return {
    ...host,
    fetch: observedFetch(host.fetch, observe),
    createFetch: (options) => observedPlainFetch(host.createFetch(options), observe),
  };
}

function outcomeOf(status: number): RequestOutcome {
  if (status === 429) return 'rate_limited';
  if (status >= 500) return 'server_error';
  return status >= 400 ? 'client_error' : 'success';
}
