import type { MetricsConnection } from './connection.ts';

const SHOWN = 300;
/** Shorter header values, such as a tenant's number, are no secrets and would be found everywhere. */
const SHORTEST_SECRET_HEADER = 8;

/**
 * Makes words that come from outside fit for a message: a server or proxy may repeat the credentials it was
 * given, or say a megabyte.
 */
export function quoteFor(connection: MetricsConnection): (text: string) => string {
  const { username, password, bearer_token: token, headers } = connection;
  const pair = password ? Buffer.from(`${username}:${password}`, 'utf8').toString('base64') : null;
  const values = Object.values(headers).filter((value) => value.length >= SHORTEST_SECRET_HEADER);
  return quoteWithout([password, token, pair, ...values]);
}

/** Replaces secrets in words that come from outside, and cuts them to a length that fits a message. */
export function quoteWithout(all: readonly (string | null | undefined)[]): (text: string) => string {
  const secrets = all
    .filter((secret): secret is string => Boolean(secret))
    // A secret that holds another one goes first, so that nothing of it stays.
    .toSorted((left, right) => right.length - left.length);
  return (text) => {
    let clean = text;
    for (const secret of secrets) clean = clean.replaceAll(secret, '***');
    return clean.length > SHOWN ? `${clean.slice(0, SHOWN)}…` : clean;
  };
}
