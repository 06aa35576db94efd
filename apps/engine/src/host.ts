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
  type PlainFetch,
  type PluginHost,
} from '@chargeback/plugin-api';
import { createPlainFetch } from './plain-fetch.ts';

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
  return {
    clock: options.clock ?? (() => new Date()),
    fetch: options.fetch ?? fetch,
    createFetch: (fetchOptions) => createFetch(options, fetchOptions),
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

function createFetch({ fetch: network, configDirectory }: HostOptions, { caFile }: FetchOptions): PlainFetch {
  if (caFile === undefined) return network ?? createPlainFetch();
  const file = path.resolve(configDirectory, caFile);
  let authority: string;
  try {
    authority = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ChargebackError('CB_CONFIG_READ', `ca_file ${file}: ${describeCause(cause)}`, {
      cause,
    });
  }
  return createPlainFetch({ authorities: [...rootCertificates, authority] });
}
