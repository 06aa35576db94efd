import { existsSync } from 'node:fs';
import { parseConnectionString } from './connection-string.ts';
import { hasSchema } from './postgres/open.ts';
import type { OpenStoreOptions } from './store.ts';

/**
 * Whether a store was ever opened there: what only looks asks first, because opening makes what is missing.
 * @throws {ChargebackError} as `openStore` for a server that cannot be used.
 */
export async function storeExists(
  options: Pick<OpenStoreOptions, 'connectionString' | 'workingDirectory'>,
): Promise<boolean> {
  const location = parseConnectionString(options.connectionString, options.workingDirectory);
  return location.dialect === 'sqlite' ? existsSync(location.path) : hasSchema(location);
}
