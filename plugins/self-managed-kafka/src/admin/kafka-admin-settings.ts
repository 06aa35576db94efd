export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

/** How to reach the brokers: the part of `resource_source` that `admin_api` needs, spelled as in the YAML. */
export interface KafkaAdminSettings {
  /** `host:port`, several of them separated by commas or as a list. The port is 9092 where it is left out. */
  readonly bootstrap_servers: string | readonly string[];
  readonly security_protocol: SecurityProtocol;
  readonly sasl_mechanism?: SaslMechanism | null | undefined;
  readonly sasl_username?: string | null | undefined;
  readonly sasl_password?: string | null | undefined;
  /** PEM file of the authorities to trust, in place of the system's. */
  readonly ca_file?: string | null | undefined;
  /** PEM file of the client's certificate. */
  readonly cert_file?: string | null | undefined;
  /** PEM file of the key of that certificate, not encrypted. */
  readonly key_file?: string | null | undefined;
  /** Of each connection and of each request. */
  readonly timeout_seconds: number;
}

/** The bootstrap servers one by one. */
export function bootstrapServers({ bootstrap_servers: servers }: KafkaAdminSettings): string[] {
  const list = typeof servers === 'string' ? servers.split(',') : servers;
  return list.map((server) => server.trim()).filter((server) => server !== '');
}

export function usesTls({ security_protocol: protocol }: KafkaAdminSettings): boolean {
  return protocol === 'SSL' || protocol === 'SASL_SSL';
}

export function usesSasl({ security_protocol: protocol }: KafkaAdminSettings): boolean {
  return protocol === 'SASL_PLAINTEXT' || protocol === 'SASL_SSL';
}
