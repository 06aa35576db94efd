import { isoDateOf, type Problem, startOfDay, type Window } from '@chargeback/plugin-api';
import type { DateState, Store } from '@chargeback/storage';

/** The days that a run looks at, and every day before them that still waits for its calculation. */
export async function daysAndOpenDays(store: Store, window: Window): Promise<DateState[]> {
  const states = await store.dateStates(await withStored(store, window));
  return states.filter(({ date, state }) => startOfDay(date) >= window.start || state !== 'calculated');
}

/** Problems of the window, and of days before it those that are still open: uncalculated days, and emissions. */
export async function openProblems(
  store: Store,
  window: Window,
  dates: readonly DateState[],
): Promise<Problem[]> {
  const waiting = new Set(dates.filter(({ state }) => state !== 'calculated').map(({ date }) => date));
  const start = isoDateOf(window.start);
  const problems = await store.problems(await withStored(store, window));
  return problems.filter(
    ({ date, code }) => date === null || date >= start || waiting.has(date) || code.startsWith('CB_EMIT_'),
  );
}

async function withStored(store: Store, window: Window): Promise<Window> {
  const first = await store.firstDate();
  const start = first === null ? window.start : startOfDay(`${first.slice(0, 7)}-01`);
  return { start: start < window.start ? start : window.start, end: window.end };
}
