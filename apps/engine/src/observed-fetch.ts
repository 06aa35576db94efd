import type { Fetch, PluginHost } from '@chargeback/plugin-api';

/** How an HTTP request ended. `failed`: without an answer. `aborted`: because we no longer wanted it. */
export type RequestOutcome =
  | 'success'
  | 'rate_limited'
  | 'client_error'
  | 'server_error'
  | 'failed'
  | 'aborted';

/** A fetch that tells how each of its requests ended. Redirects that are followed are one request. */
export function observedFetch(fetch: Fetch, observe: (outcome: RequestOutcome) => void): Fetch {
  return async (input, init) => {
    try {
      const response = await fetch(input, init);
      observe(outcomeOf(response.status));
      return response;
    } catch (cause) {
      const signal = init?.signal ?? (input instanceof Request ? input.signal : null);
      observe(signal?.aborted ? 'aborted' : 'failed');
      throw cause;
    }
  };
}

/** A host whose connections, also those with options of their own, tell how their requests ended. */
export function observedHost<Host extends Pick<PluginHost, 'fetch' | 'createFetch'>>(
  host: Host,
  observe: (outcome: RequestOutcome) => void,
): Host {
  return {
    ...host,
    fetch: observedFetch(host.fetch, observe),
    createFetch: (options) => observedFetch(host.createFetch(options), observe),
  };
}

function outcomeOf(status: number): RequestOutcome {
  if (status === 429) return 'rate_limited';
  if (status >= 500) return 'server_error';
  return status >= 400 ? 'client_error' : 'success';
}
