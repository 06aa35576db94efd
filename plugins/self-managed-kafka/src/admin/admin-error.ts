import { ChargebackError, type ErrorCode } from '@chargeback/plugin-api';
import { TimeoutError } from '@platformatic/kafka';
import type { AdminFailure } from './admin-client.ts';
import { bootstrapServers, type KafkaAdminSettings, usesTls } from './kafka-admin-settings.ts';

interface Fact {
  readonly code: string;
  readonly message: string;
  /** Name of the error that a broker answered. */
  readonly answered: string;
  readonly timedOut: boolean;
  /** What the broker would accept, where it said so. */
  readonly mechanisms: readonly string[];
}

interface Verdict {
  readonly code: ErrorCode;
  readonly fix: string;
  readonly path?: string;
}

const SHOWN = 400;
const NOT_TRUSTED = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_CHAIN_TOO_LONG',
  'INVALID_CA',
  'INVALID_PURPOSE',
]);

/** Says in one coded error what the client's errors amount to. Holds no password, not even one a broker echoes. */
export function describeAdminFailure(
  failure: AdminFailure,
  settings: KafkaAdminSettings,
  attempt: number,
): ChargebackError {
  const facts = failure.errors.flatMap((error) => factsOf(error));
  const offered = facts.flatMap(({ mechanisms }) => mechanisms);
  const judged = facts.map((fact) => ({
    fact,
    verdict: verdictOn({ ...fact, mechanisms: offered }, settings),
  }));
  const order: readonly ErrorCode[] = [
    'CB_ADMIN_AUTH',
    'CB_ADMIN_TLS',
    'CB_ADMIN_TIMEOUT',
    'CB_INVENTORY_GATHER',
  ];
  const worst =
    order.map((code) => judged.find(({ verdict }) => verdict.code === code)).find((found) => found) ??
    judged[0];
  const { code, fix, path = 'resource_source.bootstrap_servers' } = worst?.verdict ?? UNREACHABLE;
  const told = worst ? textOf(worst.fact) : 'no broker answered';
  const tries = attempt > 1 ? ` (after ${attempt} tries)` : '';
  const message = withoutPassword(
    `Kafka at ${bootstrapServers(settings).join(', ')}: ${told}${tries}`,
    settings,
  );
  return new ChargebackError(code, message, { fix, path });
}

const UNREACHABLE: Verdict = {
  code: 'CB_ADMIN_UNREACHABLE',
  fix: 'Check resource_source.bootstrap_servers, the network and that the brokers are up.',
};

/** The innermost errors, which say what happened; those around them only say that something did. */
function factsOf(error: unknown, depth = 0): Fact[] {
  if (typeof error !== 'object' || error === null || depth > 8) return [];
  const { cause, errors, code, message, apiId, serverErrorMessage, response } = error as Record<
    string,
    unknown
  >;
  const inner = [...(Array.isArray(errors) ? (errors as unknown[]) : []), cause].flatMap((one) =>
    factsOf(one, depth + 1),
  );
  const mechanisms = (response as { mechanisms?: unknown } | undefined)?.mechanisms;
  const own: Fact = {
    code: String(code ?? ''),
    message: String(serverErrorMessage ?? message ?? ''),
    answered: String(apiId ?? ''),
    timedOut: error instanceof TimeoutError || code === 'ETIMEDOUT',
    mechanisms: Array.isArray(mechanisms) ? mechanisms.map(String) : [],
  };
  // An authentication error may wrap what the broker said about it; both count.
  const telling = own.code === 'PLT_KFK_AUTHENTICATION' || own.mechanisms.length > 0 || inner.length === 0;
  return telling ? [...inner, own] : inner;
}

function verdictOn(fact: Fact, settings: KafkaAdminSettings): Verdict {
  return saslVerdict(fact) ?? tlsVerdict(fact, settings) ?? networkVerdict(fact, settings);
}

function saslVerdict({ code, answered, mechanisms }: Fact): Verdict | null {
  const path = 'resource_source';
  if (answered === 'UNSUPPORTED_SASL_MECHANISM') {
    const offered = mechanisms.length > 0 ? ` The broker offers ${mechanisms.join(', ')}.` : '';
    const fix = `Set resource_source.sasl_mechanism to one that the broker offers.${offered}`;
    return { code: 'CB_ADMIN_AUTH', fix, path: 'resource_source.sasl_mechanism' };
  }
  if (answered === 'ILLEGAL_SASL_STATE') {
    const fix = 'This listener knows no SASL: use another port, or security_protocol PLAINTEXT or SSL.';
    return { code: 'CB_ADMIN_AUTH', fix, path: 'resource_source.security_protocol' };
  }
  if (answered.endsWith('_AUTHORIZATION_FAILED')) {
    return { code: 'CB_ADMIN_AUTH', fix: 'Allow this user to describe the cluster and its topics.', path };
  }
  if (code === 'PLT_KFK_AUTHENTICATION' || answered === 'SASL_AUTHENTICATION_FAILED') {
    const fix =
      'Check sasl_username, sasl_password and that the user has credentials for this sasl_mechanism.';
    return { code: 'CB_ADMIN_AUTH', fix, path };
  }
  return null;
}

const tls = (fix: string, key: string): Verdict => ({
  code: 'CB_ADMIN_TLS',
  fix,
  path: `resource_source.${key}`,
});

function tlsVerdict({ code, message }: Fact, settings: KafkaAdminSettings): Verdict | null {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH') {
    return tls(
      'Name the brokers as their certificate does, or issue one for these names.',
      'bootstrap_servers',
    );
  }
  if (NOT_TRUSTED.has(code)) {
    return tls(
      'Set ca_file to the PEM file of the authority that signed the certificates of the brokers.',
      'ca_file',
    );
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return tls('Renew the certificate of the broker, and check the clocks.', 'bootstrap_servers');
  }
  if (message === 'Broker requires TLS.') {
    return tls('This listener speaks TLS: use security_protocol SSL or SASL_SSL.', 'security_protocol');
  }
  if (/CERTIFICATE_REQUIRED|ALERT_(BAD|UNKNOWN|UNSUPPORTED|EXPIRED)|UNKNOWN_CA/.test(code)) {
    return tls('The broker wants another client certificate: check cert_file and key_file.', 'cert_file');
  }
  const handshakeBroken = usesTls(settings) && /secure TLS connection|TLS handshake failed/.test(message);
  if (handshakeBroken || /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(code)) {
    return tls('This listener may not speak TLS: check the port and security_protocol.', 'security_protocol');
  }
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code === 'EPROTO') {
    return tls('Check that both sides share a TLS version, ciphers and certificates.', 'security_protocol');
  }
  return null;
}

function networkVerdict({ code, timedOut, answered, message }: Fact, settings: KafkaAdminSettings): Verdict {
  if (timedOut) {
    const fix = `Raise resource_source.timeout_seconds (${settings.timeout_seconds}), or check that a listener with security_protocol ${settings.security_protocol} is on that port.`;
    return { code: 'CB_ADMIN_TIMEOUT', fix };
  }
  if (message.startsWith('Connection closed') || code === 'ECONNRESET') {
    const fix = `The listener hung up: check that security_protocol ${settings.security_protocol} is what it speaks.`;
    return { code: 'CB_ADMIN_UNREACHABLE', fix };
  }
  if (code.startsWith('PLT_KFK_') && code !== 'PLT_KFK_NETWORK') {
    const fix = `The broker answered what this client cannot use${answered === '' ? '' : ` (${answered})`}: check its version and its log.`;
    return { code: 'CB_INVENTORY_GATHER', fix };
  }
  return UNREACHABLE;
}

function textOf({ message, code, answered }: Fact): string {
  const name = answered !== '' ? answered : code.startsWith('PLT_KFK_') ? '' : code;
  const text = message.length > SHOWN ? `${message.slice(0, SHOWN)}…` : message;
  return name === '' || text.includes(name) ? text : `${text} (${name})`;
}

function withoutPassword(text: string, { sasl_password: password }: KafkaAdminSettings): string {
  return password ? text.replaceAll(password, '…') : text;
}
