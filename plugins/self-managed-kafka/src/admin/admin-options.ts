import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import path from 'node:path';
import { type ConnectionOptions as TlsOptions, createSecureContext } from 'node:tls';
import { ChargebackError, describeCause } from '@chargeback/plugin-api';
import {
  type AdminOptions,
  AuthenticationError,
  saslPlain,
  saslScramSha,
  type SASLOptions,
} from '@platformatic/kafka';
import { bootstrapServers, type KafkaAdminSettings, usesSasl, usesTls } from './kafka-admin-settings.ts';

const CLIENT_ID = 'chargeback';

type Authenticator = NonNullable<SASLOptions['authenticate']>;

/**
 * The client's options, certificate files read and checked.
 * @param directory relative certificate files start from it.
 * @throws {ChargebackError} `CB_CONFIG_READ` for a file that cannot be read, `CB_ADMIN_TLS` for one that holds
 *   no usable certificate or key.
 */
export async function adminOptions(settings: KafkaAdminSettings, directory: string): Promise<AdminOptions> {
  const servers = bootstrapServers(settings);
  const milliseconds = settings.timeout_seconds * 1000;
  const named = servers.every((server) => isIP(server.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')) === 0);
  return {
    clientId: CLIENT_ID,
    bootstrapBrokers: servers,
    connectTimeout: milliseconds,
    requestTimeout: milliseconds,
    timeout: milliseconds,
    // The client retries within retries; one loop around it is bounded where that is not.
    retries: 0,
    ...(usesTls(settings) ? { tls: await tlsOptions(settings, directory), tlsServerName: named } : {}),
    ...(usesSasl(settings) ? { sasl: saslOptions(settings) } : {}),
  };
}

async function tlsOptions(settings: KafkaAdminSettings, directory: string): Promise<TlsOptions> {
  const read = async (key: 'ca_file' | 'cert_file' | 'key_file'): Promise<Buffer | undefined> => {
    const name = settings[key];
    if (!name) return undefined;
    const file = path.resolve(directory, name);
    try {
      return await readFile(file);
    } catch (cause) {
      const message = `resource_source.${key} ${file}: ${describeCause(cause)}`;
      throw new ChargebackError('CB_CONFIG_READ', message, { path: `resource_source.${key}`, cause });
    }
  };
  const [ca, cert, key] = [await read('ca_file'), await read('cert_file'), await read('key_file')];
  try {
    return {
      secureContext: createSecureContext({
        ...(ca ? { ca } : {}),
        ...(cert ? { cert } : {}),
        ...(key ? { key } : {}),
      }),
    };
  } catch (cause) {
    throw new ChargebackError(
      'CB_ADMIN_TLS',
      `the certificate files cannot be used: ${describeCause(cause)}`,
      {
        path: 'resource_source',
        fix: 'Let ca_file and cert_file hold PEM certificates and key_file the unencrypted PEM key of cert_file.',
        cause,
      },
    );
  }
}

function saslOptions({ sasl_mechanism: mechanism, ...settings }: KafkaAdminSettings): SASLOptions {
  return {
    mechanism: mechanism ?? 'PLAIN',
    username: settings.sasl_username ?? '',
    password: settings.sasl_password ?? '',
    authenticate: authenticateGuarded,
  };
}

/**
 * The client's own exchange, but with what it throws at a malformed answer turned into a failed authentication:
 * thrown from the socket's event it would end the process.
 */
const authenticateGuarded: Authenticator = (...parameters) => {
  const [mechanism, connection, send, username, password, , done] = parameters;
  const guarded: typeof send = Object.assign((...[to, bytes, answered]: Parameters<typeof send>): void => {
    send(to, bytes, (error, response) => {
      try {
        answered?.(error, response);
      } catch (cause) {
        const message = "the broker's answer is no valid SASL message";
        done(new AuthenticationError(message, { cause: cause as Error }), undefined as never);
      }
    });
  }, send);
  if (mechanism === 'SCRAM-SHA-256' || mechanism === 'SCRAM-SHA-512') {
    const algorithm = mechanism === 'SCRAM-SHA-256' ? 'SHA-256' : 'SHA-512';
    const { authenticate, defaultCrypto } = saslScramSha;
    authenticate(guarded, connection, algorithm, username ?? '', password ?? '', defaultCrypto, done);
  } else {
    saslPlain.authenticate(guarded, connection, username ?? '', password ?? '', done);
  }
};
