import type { Socket } from 'node:net';
import { Admin, type AdminOptions, type Connection } from '@platformatic/kafka';

/** What went wrong with the client: the error it gave, and those it kept to its connections. */
export class AdminFailure extends Error {
  override readonly name = 'AdminFailure';
  readonly errors: readonly unknown[];

  constructor(errors: readonly unknown[]) {
    super('the Admin API failed');
    this.errors = errors;
  }
}

/**
 * Opens a client, uses it and closes it, whatever happens. When this settles no socket of the client is open.
 * @throws {AdminFailure} when the use fails, and the signal's reason as soon as it aborts.
 */
export async function withAdminClient<T>(
  options: AdminOptions,
  signal: AbortSignal,
  use: (client: Admin) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const client = new Admin(options);
  const connections = new Set<Connection>();
  const failures: Error[] = [];
  client.connections.on('connecting', ({ connection }) => {
    connections.add(connection);
    // Also keeps a late error, such as a reset after a refused password, from ending the process.
    connection.on('error', (error: Error) => failures.push(error));
  });
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([use(client), aborted.promise]);
  } catch (cause) {
    signal.throwIfAborted();
    throw new AdminFailure([cause, ...failures]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    await close(client, connections);
  }
}

/**
 * The client forgets a connection that failed without destroying its socket, and lets one that is still
 * connecting finish: so the sockets are destroyed here.
 */
async function close(client: Admin, connections: ReadonlySet<Connection>): Promise<void> {
  client.close(() => {});
  await Promise.all([...connections].map(({ socket }) => destroyed(socket)));
}

function destroyed(socket: Socket | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (!socket || socket.closed) return resolve();
    // An error that is already under way would otherwise find nobody.
    socket.on('error', () => {});
    socket.once('close', () => resolve());
    socket.destroy();
  });
}
