import { daysOf, type EmittedBatch, type Emitter, type IsoDate, type Problem } from '@chargeback/plugin-api';
import type { EmissionRecord } from '@chargeback/storage';
import { backOff } from './back-off.ts';
import type { ConfiguredEmitter } from './configured-emitter.ts';
import { type DuePeriods, duePeriods } from './emission/due-periods.ts';
import { emittedBatch, lastBatch } from './emission/batches.ts';
import { confirm, emitPeriod } from './emission/emit-period.ts';
import { backOffProblem, closedProblem, emissionProblem } from './emission/emission-problem.ts';
import { lengthOf, monthOf, type Period } from './emission/period.ts';
import { type StoredDays, storedDays } from './emission/stored-days.ts';
import { type EmissionRecords, withdrawReplaced } from './emission/withdraw-replaced.ts';
import { inOrder } from './in-order.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import type { TenantContext } from './tenant-context.ts';

export interface EmitResult {
  readonly periodsEmitted: number;
}

/**
 * Hands changed periods to each emitter. A period is keyed by its calculations, so what has not changed and is
 * still at its destination is not emitted again, and what failed is tried again. A failing emitter does not disturb
 * the others.
 */
export async function emit(
  context: TenantContext,
  emitters: readonly ConfiguredEmitter[],
): Promise<EmitResult> {
  const days = await storedDays(context);
  const problems: Problem[] = [];
  const records = new Map<ConfiguredEmitter, EmissionRecords>();
  for (const configured of emitters) {
    const known = await context.store.emissions(configured.name);
    records.set(configured, new Map(known.map((record) => [record.period, record])));
  }
  let periodsEmitted = 0;
  for (const [configured, own] of records) {
    const takenPlaces = memo(() => placesOf(context, records));
    periodsEmitted += await emitAll(context, { configured, days, records: own, takenPlaces, problems });
  }
  await saveProblems(context, days, problems);
  context.problems.push(...problems);
  return { periodsEmitted };
}

/** All that is stored is looked at, so the problems of all of it are replaced. */
async function saveProblems(
  { store, window }: TenantContext,
  { states }: StoredDays,
  problems: readonly Problem[],
): Promise<void> {
  const told = problems.flatMap(({ date }) => (date === null ? [] : [date]));
  const known = [...daysOf(window), ...states.map(({ date }) => date), ...told];
  // What is wrong with a month is told of its first day, which may lie before all that is stored.
  const dates = new Set<IsoDate>([...known, ...known.map(monthOf)]);
  await store.saveProblems(
    'emit',
    [],
    problems.filter(({ date }) => date === null),
  );
  if (dates.size === 0) return;
  await store.saveProblems(
    'emit',
    [...dates],
    problems.filter(({ date }) => date !== null),
  );
}

/** Where the batches are that the emitters have at their destinations with the settings of now. */
function placesOf(
  context: TenantContext,
  records: ReadonlyMap<ConfiguredEmitter, EmissionRecords>,
): Set<string> {
  const places = new Set<string>();
  for (const [{ aggregation, emitter }, own] of records) {
    for (const record of emitter.place ? own.values() : []) {
      const last = lastBatch(record);
      if (!last || lengthOf(last.aggregation) !== lengthOf(aggregation)) continue;
      const place = emitter.place!(emittedBatch(context, record.period, last));
      if (place !== null) places.add(place);
    }
  }
  return places;
}

function memo<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

interface EmitterRun {
  readonly configured: ConfiguredEmitter;
  readonly days: StoredDays;
  readonly records: EmissionRecords;
  /** As they are when it is asked first. */
  readonly takenPlaces: () => ReadonlySet<string>;
  readonly problems: Problem[];
}

async function emitAll(context: TenantContext, run: EmitterRun): Promise<number> {
  const { configured, days, records, problems } = run;
  const due = duePeriods({ context, configured, days, records });
  problems.push(...due.problems);
  await close(context, run, due);
  const pending: Period[] = [];
  for (const period of due.periods) {
    const last = records.get(period.date);
    if (!(await isPending(context, run, period))) continue;
    if (mayTry(context, last)) pending.push(period);
    else problems.push(backOffProblem(configured, period.date, last?.attempts ?? 0));
  }
  const emitting = inOrder(pending, batchesAtOnce(configured), async (period) => {
    context.signal.throwIfAborted();
    return emitPeriod(context, { configured, period, previous: records.get(period.date) });
  });
  let done = 0;
  let emitted = 0;
  for await (const { record, problem } of emitting) {
    records.set(record.period, record);
    if (problem) problems.push(problem);
    if (record.status === 'emitted') emitted += 1;
    done += 1;
    const total = pending.length;
    context.onProgress({ tenant: context.name, stage: 'emit', done, total, date: record.period });
  }
  await withdrawReplaced(context, run);
  await finish(context, configured, problems);
  return emitted;
}

/** What an emitter asks for may come from a plugin: it is bounded. */
const MOST_AT_ONCE = 8;

function batchesAtOnce({ emitter }: ConfiguredEmitter): number {
  const { batchesAtOnce: wanted = 1 } = emitter;
  return Number.isInteger(wanted) ? Math.min(Math.max(1, wanted), MOST_AT_ONCE) : 1;
}

/** Tells of each period that retention has closed, once. */
async function close(
  { store, clock }: TenantContext,
  { configured, days, records, problems }: EmitterRun,
  { closed }: DuePeriods,
): Promise<void> {
  for (const period of closed) {
    const { aggregation, name } = configured;
    const nothing = {
      emitter: name,
      period,
      aggregation,
      batchId: null,
      mark: null,
      others: [],
      attempts: 0,
    };
    const record: EmissionRecord = {
      ...(records.get(period) ?? nothing),
      status: 'closed',
      emittedAt: clock(),
    };
    await store.saveEmission(record);
    records.set(period, record);
    problems.push(closedProblem(configured, period, days.keptFrom));
  }
}

async function isPending(
  context: TenantContext,
  { configured: { aggregation, emitter }, records }: EmitterRun,
  { date, batchId }: Period,
): Promise<boolean> {
  const last = records.get(date);
  if (last?.status !== 'emitted' || last.batchId !== batchId || last.aggregation !== aggregation) return true;
  if (!emitter.holds) return false;
  const held = await holds(emitter, emittedBatch(context, date, { ...last, batchId }));
  if (typeof held === 'object') {
    const marked = { ...last, mark: held.mark };
    await context.store.saveEmission(marked);
    records.set(date, marked);
  }
  return held === false;
}

/** When it cannot tell: emitted once too often is no harm, and what is wrong is told by that emission. */
async function holds(emitter: Emitter, batch: EmittedBatch): Promise<boolean | { readonly mark: string }> {
  try {
    return (await emitter.holds?.(batch)) ?? false;
  } catch {
    return false;
  }
}

async function finish(
  context: TenantContext,
  { name, aggregation, emitter }: ConfiguredEmitter,
  problems: Problem[],
): Promise<void> {
  if (!emitter.finish) return;
  try {
    await confirm(context);
    await emitter.finish(aggregation, context.signal);
  } catch (cause) {
    rethrowFatal(context, cause);
    problems.push(emissionProblem({ name, cause }));
  }
}

function mayTry({ patient, clock }: TenantContext, last: EmissionRecord | undefined): boolean {
  if (!patient || last?.status !== 'failed') return true;
  return clock().getTime() >= last.emittedAt.getTime() + backOff(last.attempts);
}
