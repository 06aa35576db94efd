import { z } from 'zod';

const serversSchema = z.union([z.string(), z.array(z.string())]);

const baseSchema = z.strictObject({
  source: z.enum(['prometheus', 'admin_api']).default('prometheus'),
  bootstrap_servers: serversSchema
    .nullish()
    .describe('host:port, several separated by commas or as a list; needed for admin_api.'),
  security_protocol: z.enum(['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']).default('PLAINTEXT'),
  sasl_mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']).nullish(),
  sasl_username: z.string().min(1).nullish(),
  sasl_password: z.string().min(1).nullish(),
  ca_file: z.string().min(1).nullish().describe('PEM file of the authorities to trust.'),
  cert_file: z.string().min(1).nullish().describe("PEM file of the client's certificate."),
  key_file: z.string().min(1).nullish().describe('PEM file of the key of that certificate, not encrypted.'),
  timeout_seconds: z.number().min(1).max(600).default(30).describe('Of each connection and each request.'),
});

export type ResourceSource = z.output<typeof baseSchema>;

type Complaint = readonly [key: keyof ResourceSource, message: string];

/** Where brokers and topics are listed from, and how to reach the brokers. */
export const resourceSourceSchema = baseSchema.superRefine((source, issues) => {
  for (const [key, message] of [
    ...serverComplaints(source),
    ...saslComplaints(source),
    ...tlsComplaints(source),
  ]) {
    issues.addIssue({ code: 'custom', path: [key], message });
  }
});

function serverComplaints({ source, bootstrap_servers: servers }: ResourceSource): Complaint[] {
  const list = typeof servers === 'string' ? servers.split(',') : (servers ?? []);
  const named = list.map((server) => server.trim()).filter((server) => server !== '');
  if (named.length === 0) {
    return source === 'admin_api'
      ? [['bootstrap_servers', 'bootstrap_servers required when source is admin_api']]
      : [];
  }
  return named
    .filter((server) => !isServer(server))
    .map((server) => ['bootstrap_servers', `${JSON.stringify(server)} is not host:port`] as const);
}

function isServer(server: string): boolean {
  const [, port] = /^(?:\[[0-9a-fA-F:.]+\]|[^\s/:@[\]]+)(?::(\d{1,5}))?$/.exec(server) ?? [null, '0'];
  return port === undefined || (Number(port) > 0 && Number(port) < 65_536);
}

function saslComplaints(source: ResourceSource): Complaint[] {
  const { security_protocol: protocol } = source;
  const keys = ['sasl_mechanism', 'sasl_username', 'sasl_password'] as const;
  if (protocol.startsWith('SASL_')) {
    return keys
      .filter((key) => !source[key])
      .map((key) => [key, `security_protocol ${protocol} requires ${key}`] as const);
  }
  return keys
    .filter((key) => source[key])
    .map(
      (key) => [key, `${key} needs security_protocol SASL_PLAINTEXT or SASL_SSL, not ${protocol}`] as const,
    );
}

function tlsComplaints(source: ResourceSource): Complaint[] {
  const { security_protocol: protocol, cert_file: certificate, key_file: key } = source;
  const complaints: Complaint[] = [];
  if (!protocol.endsWith('SSL')) {
    for (const file of ['ca_file', 'cert_file', 'key_file'] as const) {
      if (source[file])
        complaints.push([file, `${file} needs security_protocol SSL or SASL_SSL, not ${protocol}`]);
    }
  }
  if (certificate && !key) complaints.push(['key_file', 'cert_file requires key_file']);
  if (key && !certificate) complaints.push(['cert_file', 'key_file requires cert_file']);
  return complaints;
}
