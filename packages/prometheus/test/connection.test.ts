import { describe, expect, it } from 'vitest';
import { metricsConnectionSchema } from '../src/index.ts';

const SECRET = 'canary-51-secret';

function complaints(connection: object): string[] {
  const { error } = metricsConnectionSchema.safeParse({ url: 'http://prometheus:9090', ...connection });
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
}

describe('a metrics connection', () => {
  it('needs nothing but a URL', () => {
    expect(metricsConnectionSchema.parse({ url: 'https://host/prefix' })).toMatchObject({
      type: 'prometheus',
      auth_type: 'none',
      timeout_seconds: 30,
      max_attempts: 4,
      max_in_flight: 20,
    });
  });

  it.each<[string, object, RegExp]>([
    [
      'basic without a password',
      { auth_type: 'basic', username: 'u' },
      /password: auth_type basic requires both/,
    ],
    [
      'basic without a user',
      { auth_type: 'basic', password: SECRET },
      /username: auth_type basic requires both/,
    ],
    [
      'bearer without a token',
      { auth_type: 'bearer' },
      /bearer_token: auth_type bearer requires bearer_token/,
    ],
    [
      'credentials with none',
      { username: 'u', password: SECRET },
      /credentials provided but auth_type is 'none'/,
    ],
    ['a token with none', { bearer_token: SECRET }, /credentials provided but auth_type is 'none'/],
    [
      'a token with basic',
      { auth_type: 'basic', username: 'u', password: 'p', bearer_token: SECRET },
      /does not go with auth_type basic/,
    ],
    [
      'a password with bearer',
      { auth_type: 'bearer', bearer_token: SECRET, password: 'x' },
      /do not go with auth_type bearer/,
    ],
    [
      'its own authorization header besides',
      { auth_type: 'bearer', bearer_token: SECRET, headers: { AUTHORIZATION: SECRET } },
      /Authorization header does not go/,
    ],
    [
      'a token with a line end, which fetch would repeat in its error',
      { auth_type: 'bearer', bearer_token: `${SECRET}\nx` },
      /bearer_token: bearer_token holds spaces, line ends/,
    ],
    [
      'a user with a colon',
      { auth_type: 'basic', username: 'a:b', password: SECRET },
      /username: a username holds no colon/,
    ],
    ['a header of letters that none can hold', { headers: { 'x-a': `${SECRET}…` } }, /only Latin-1/],
    ['a header of the client', { headers: { 'Content-Type': 'text/plain' } }, /set by the client itself/],
    ['an empty query in the URL', { url: 'http://host/?' }, /must not have a query/],
    ['a URL with a line end', { url: 'http://host/\n' }, /must not hold spaces or line ends/],
    ['a header that breaks out', { headers: { 'x-a': 'a\r\nb: c' } }, /control characters/],
    ['a header name that is none', { headers: { 'x a': 'b' } }, /not a header name/],
    ['credentials in the URL', { url: `http://u:${SECRET}@host` }, /credentials do not belong in the URL/],
    ['another protocol', { url: 'ftp://host' }, /must begin with http/],
    ['no URL at all', { url: 'prometheus' }, /not a URL/],
    ['a query in the URL', { url: 'http://host/?x=1' }, /must not have a query/],
    ['an unknown key', { urll: 'x' }, /urll/],
  ])('refuses %s, and never repeats a secret', (_what, connection, message) => {
    const found = complaints(connection).join('\n');
    expect(found).toMatch(message);
    expect(found).not.toContain(SECRET);
  });
});
