import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { rootCertificates } from 'node:tls';
import {
  ChargebackError,
  describeCause,
  type Fetch,
  type FetchOptions,
  type PluginHost,
} from '@chargeback/plugin-api';

const LONGEST_TIMER = 2_147_483_647;

/** The one place where the outside world enters: clock, network, randomness. */
export interface Host extends Omit<PluginHost, 'signal' | 'tenantId' | 'logger' | 'concurrency'> {
  readonly newId: () => string;
  /** Milliseconds since any moment, by a clock that nobody sets. */
  readonly elapsed: () => number;
}

export interface HostOptions {
  /** Folder that relative certificate files start from. */
  readonly configDirectory: string;
  /** Replaces the network, as the demo does. */
  readonly fetch?: Fetch;
  readonly clock?: () => Date;
}

export function createHost(options: HostOptions): Host {
  const network = options.fetch ?? fetch;
  return {
    clock: options.clock ?? (() => new Date()),
    fetch: network,
    createFetch: (fetchOptions) => createFetch(network, options.configDirectory, fetchOptions),
    resolvePath: (file) => path.resolve(options.configDirectory, file),
    random: Math.random,
    sleep: async (milliseconds, signal) => {
      // A timer holds no more than 24.8 days: a longer one would be over at once.
      for (let left = milliseconds; left > 0; left -= LONGEST_TIMER) {
        await delay(Math.min(left, LONGEST_TIMER), undefined, { signal });
      }
    },
    newId: randomUUID,
    elapsed: () => performance.now(),
  };
}

function createFetch(network: Fetch, configDirectory: string, { caFile }: FetchOptions): Fetch {
  if (caFile === undefined) return network;
  const file = path.resolve(configDirectory, caFile);
  let authority: string;
  try {
    authority = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ChargebackError('CB_CONFIG_READ', `metrics.ca_file ${file}: ${describeCause(cause)}`, {
      cause,
    });
  }
  let trusting: Promise<Fetch> | undefined;
  return async (input, init) => {
    trusting ??= fetchTrusting([...rootCertificates, authority]);
    return (await trusting)(input, init);
  };
}

/** Node's own fetch takes no authorities. Loaded only here: most set-ups need none of their own. */
async function fetchTrusting(authorities: readonly string[]): Promise<Fetch> {
  const { Agent, fetch: fetchThrough } = await import('undici');
  const dispatcher = new Agent({ connect: { ca: [...authorities] } });
  const through: typeof fetchThrough = (input, init) => fetchThrough(input, { ...init, dispatcher });
  return through as unknown as Fetch;
}
