import { createHash } from 'node:crypto';
import { type IsoDate, MILLISECONDS_PER_DAY, startOfDay, type Window } from '@chargeback/plugin-api';
import { linesDigest, usageDigest } from '../input-digest.ts';
import type { Store } from '../store.ts';

const ALWAYS: Window = { start: new Date('0001-01-01T00:00:00Z'), end: new Date('9999-12-31T00:00:00Z') };
const MANY = 1_000_000_000;

export interface Comparison {
  readonly days: number;
  /** What is not the same, in words; empty when everything is. */
  readonly differences: readonly string[];
}

/**
 * Compares what two stores say: inputs by digests made anew from what is stored, rows, reconciliation, states,
 * inventory, journal. A day of each is in memory at a time.
 */
export async function compareStores(left: Store, right: Store, signal: AbortSignal): Promise<Comparison> {
  const differences: string[] = [];
  const compare = async (what: string, read: (store: Store) => Promise<unknown>): Promise<void> => {
    signal.throwIfAborted();
    const [one, other] = [digest(await read(left)), digest(await read(right))];
    if (one !== other) differences.push(what);
  };
  await compare('inventory', (store) => store.loadLifetimes(ALWAYS));
  await compare('runs', (store) => store.runs(MANY));
  await compare('problems', (store) => store.problems(ALWAYS));
  await compare('revisions', (store) => store.revisions(ALWAYS));
  await compare('tenant state', (store) => store.tenantState());
  await compare('totals', (store) => store.totals(ALWAYS, ['identity_id']));
  await compare('states of days', (store) => store.dateStates(ALWAYS));
  const dates = (await left.dateStates(ALWAYS)).map(({ date }) => date);
  for (const date of dates) {
    const window = windowOf(date);
    await compare(`${date}: inputs`, (store) => inputsOf(store, date));
    await compare(`${date}: reconciliation`, (store) => store.reconcile(window, 'line'));
    await compare(`${date}: rows`, (store) => rowsDigest(store, window));
  }
  return { days: dates.length, differences };
}

function windowOf(date: IsoDate): Window {
  const start = startOfDay(date);
  return { start, end: new Date(start.getTime() + MILLISECONDS_PER_DAY) };
}

async function inputsOf(store: Store, date: IsoDate): Promise<unknown> {
  const day = await store.loadDay(date);
  if (!day) return null;
  const usage = [...day.usage.values()].map((query) =>
    usageDigest({
      date,
      queryKey: query.queryKey,
      totals: query,
      coverage: query.coverage,
      outcome: query.outcome,
      definition: query.definition,
      problems: [],
    }),
  );
  return { lines: linesDigest(day.lines), usage: usage.toSorted(), attempts: [...day.attempts].toSorted() };
}

async function rowsDigest(store: Store, window: Window): Promise<string> {
  const hash = createHash('sha256');
  for await (const rows of store.rows(window, null)) hash.update(text(rows));
  return hash.digest('hex');
}

function digest(value: unknown): string {
  return createHash('sha256').update(text(value)).digest('hex');
}

function text(value: unknown): string {
  return (
    JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner)) ?? ''
  );
}
