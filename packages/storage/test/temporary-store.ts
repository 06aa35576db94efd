import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// By path: testkit depends on this package, so this package cannot depend on it.
import type { MadeStore } from '../../testkit/src/index.ts';
import { createTestSchema } from '../../testkit/test/postgres/test-database.ts';
import { openStore, type OpenStoreOptions, type Store } from '../src/index.ts';

export interface TemporaryFolder extends Disposable {
  readonly path: string;
}

export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), 'chargeback-storage-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export function optionsIn(folder: string, fields: Partial<OpenStoreOptions> = {}): OpenStoreOptions {
  return {
    connectionString: 'sqlite:///store.db',
    ecosystem: 'test-ecosystem',
    tenantId: 'tenant-1',
    workingDirectory: folder,
    ...fields,
  };
}

/** A store in a real file, which disappears with it. */
export async function makeStore(): Promise<MadeStore> {
  const folder = temporaryFolder();
  return madeStore(optionsIn(folder.path), () => folder[Symbol.dispose]());
}

/** A store in a schema of its own on the run's PostgreSQL server. */
export async function makePostgresStore(): Promise<MadeStore> {
  const database = await createTestSchema();
  return madeStore(optionsIn('/', { connectionString: database.url }), () => database.drop());
}

async function madeStore(options: OpenStoreOptions, remove: () => void | Promise<void>): Promise<MadeStore> {
  const store = await openStore(options);
  let open: Store = store;
  return {
    store,
    reopen: async () => {
      await open[Symbol.asyncDispose]();
      open = await openStore(options);
      return open;
    },
    openAnother: () => openStore(options),
    dispose: async () => {
      await open[Symbol.asyncDispose]();
      await remove();
    },
  };
}
