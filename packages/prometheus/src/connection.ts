import { z } from 'zod';

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What fetch sends as it stands: anything else makes it fail, with the value in its message. */
const HEADER_VALUE = /^[\t\u0020-\u007E\u0080-\u00FF]*$/;
const TOKEN = /^[\u0021-\u007E]+$/;
/** These belong to the request itself. */
const OWN_HEADERS = new Set([
  'accept',
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** Base URL of a server: http or https, without credentials, query or fragment. */
export const serverUrlSchema = z.string().superRefine((text, issues) => {
  const complain = (message: string): void => {
    issues.addIssue({ code: 'custom', message });
  };
  if (/\s/.test(text)) return complain('the URL must not hold spaces or line ends');
  if (!URL.canParse(text)) return complain('not a URL; write it as http://host:9090 or https://host/prefix');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    complain('the URL must begin with http:// or https://');
  if (url.username !== '' || url.password !== '') {
    complain('credentials do not belong in the URL; use auth_type: basic with username and password');
  }
  if (/[?#]/.test(text)) complain('the URL must not have a query or a fragment');
});

const headersSchema = z.record(z.string(), z.string()).superRefine((headers, issues) => {
  for (const [name, value] of Object.entries(headers)) {
    if (!HEADER_NAME.test(name)) {
      issues.addIssue({ code: 'custom', message: `${JSON.stringify(name)} is not a header name` });
    }
    if (OWN_HEADERS.has(name.toLowerCase())) {
      const message = `${name} is set by the client itself; remove it`;
      issues.addIssue({ code: 'custom', path: [name], message });
    }
    if (!HEADER_VALUE.test(value)) {
      const message = 'a header value holds no control characters and only Latin-1 letters';
      issues.addIssue({ code: 'custom', path: [name], message });
    }
  }
});

/**
 * How to reach a server that speaks the Prometheus HTTP API.
 * Source of the rules: "Metrics authentication" of the configuration specification.
 */
export const metricsConnectionSchema = z
  .strictObject({
    type: z.literal('prometheus').default('prometheus'),
    url: serverUrlSchema.describe('Base URL; a path prefix is kept.'),
    auth_type: z.enum(['none', 'basic', 'bearer']).default('none'),
    username: z.string().min(1).nullish(),
    password: z.string().min(1).nullish(),
    bearer_token: z.string().min(1).nullish(),
    headers: headersSchema.default({}).describe('Sent with every request, such as a tenant header.'),
    ca_file: z.string().min(1).nullish().describe('PEM file of a private certificate authority.'),
    timeout_seconds: z.number().min(1).max(600).default(30).describe('Of each try.'),
    max_response_bytes: z.int().min(1024).default(268_435_456),
    max_in_flight: z.int().min(1).max(100).default(20),
    max_attempts: z.int().min(1).max(10).default(4),
    daily_subqueries: z
      .enum(['off', 'auto'])
      .default('auto')
      .describe(
        'auto: many days of a large usage query are added up by the server where it does so exactly.',
      ),
  })
  .superRefine((connection, issues) => {
    const { auth_type: type, username, password, bearer_token: token } = connection;
    const complain = (path: string, message: string): void => {
      issues.addIssue({ code: 'custom', path: [path], message });
    };
    if (type === 'basic' && !username)
      complain('username', 'auth_type basic requires both username and password');
    if (type === 'basic' && !password)
      complain('password', 'auth_type basic requires both username and password');
    if (type === 'basic' && username?.includes(':')) complain('username', 'a username holds no colon');
    if (type === 'bearer' && token && !TOKEN.test(token)) {
      complain('bearer_token', 'bearer_token holds spaces, line ends or letters beyond ASCII; remove them');
    }
    if (type === 'bearer' && !token) complain('bearer_token', 'auth_type bearer requires bearer_token');
    if (type === 'none' && (username || password || token)) {
      complain('auth_type', "credentials provided but auth_type is 'none'; set auth_type to basic or bearer");
    }
    if (type === 'basic' && token) complain('bearer_token', 'bearer_token does not go with auth_type basic');
    if (type === 'bearer' && (username || password)) {
      complain('username', 'username and password do not go with auth_type bearer');
    }
    const own = Object.keys(connection.headers).some((name) => name.toLowerCase() === 'authorization');
    if (own && type !== 'none')
      complain('headers', `an Authorization header does not go with auth_type ${type}`);
  });

export type MetricsConnection = z.output<typeof metricsConnectionSchema>;
