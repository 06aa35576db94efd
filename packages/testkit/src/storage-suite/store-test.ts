import assert from 'node:assert/strict';
import { ChargebackError, type ErrorCode } from '@chargeback/plugin-api';
import type { Store } from '@chargeback/storage';

/** `describe` and `it` of vitest or of `node:test`. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>) => unknown;
}

/** A store in a database of its own. */
export interface MadeStore {
  readonly store: Store;
  /** Closes the store and opens the same database again. */
  reopen(): Promise<Store>;
  /** Opens the same database a second time, as another process would. */
  openAnother(): Promise<Store>;
  /** Closes whatever is open and removes the database. */
  dispose(): Promise<void>;
}

export type MakeStore = () => Promise<MadeStore>;

/** Declares a test that gets a new store, and disposes of it afterwards. */
export type StoreTest = (
  name: string,
  body: (store: Store, reopen: () => Promise<Store>, openAnother: () => Promise<Store>) => Promise<void>,
) => void;

export function storeTests(
  runner: TestRunner,
  makeStore: MakeStore,
  { topic, declare }: { topic: string; declare: readonly ((test: StoreTest) => void)[] },
): void {
  const test: StoreTest = (name, body) => {
    runner.it(name, async () => {
      const made = await makeStore();
      try {
        await body(
          made.store,
          () => made.reopen(),
          () => made.openAnother(),
        );
      } finally {
        await made.dispose();
      }
    });
  };
  runner.describe(topic, () => {
    for (const declareTests of declare) declareTests(test);
  });
}

export async function assertRejects(work: Promise<unknown>, code: ErrorCode, what?: string): Promise<void> {
  const error = await work.then(
    () => assert.fail(`${what ?? 'it'} did not reject`),
    (cause: unknown) => cause,
  );
  assert.ok(ChargebackError.isInstance(error), `not coded: ${String(error)}`);
  assert.equal(error.code, code, what);
}

export async function collect<Item>(chunks: AsyncIterable<readonly Item[]>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const chunk of chunks) items.push(...chunk);
  return items;
}
