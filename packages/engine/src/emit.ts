import { daysOf, type IsoDate, type Problem } from '@chargeback/plugin-api';
import type { EmissionRecord } from '@chargeback/storage';
import { backOff } from './back-off.ts';
import type { ConfiguredEmitter } from './configured-emitter.ts';
import { type DuePeriods, duePeriods } from './emission/due-periods.ts';
import { confirm, emitPeriod, emittedBatch } from './emission/emit-period.ts';
import { backOffProblem, closedProblem, emissionProblem } from './emission/emission-problem.ts';
import { monthOf, type Period } from './emission/period.ts';
import { type StoredDays, storedDays } from './emission/stored-days.ts';
import { withdrawReplaced } from './emission/withdraw-replaced.ts';
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
  let periodsEmitted = 0;
  for (const configured of emitters) {
    periodsEmitted += await emitAll(context, { configured, days, problems });
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

interface EmitterRun {
  readonly configured: ConfiguredEmitter;
  readonly days: StoredDays;
  readonly problems: Problem[];
}

async function emitAll(context: TenantContext, { configured, days, problems }: EmitterRun): Promise<number> {
  const { store } = context;
  const records = new Map((await store.emissions(configured.name)).map((known) => [known.period, known]));
  const due = duePeriods({ context, configured, days, records });
  problems.push(...due.problems);
  await close(context, { configured, days, problems }, { due, records });
  const pending: Period[] = [];
  for (const period of due.periods) {
    const last = records.get(period.date);
    if (!(await isPending(context, configured, { period, last }))) continue;
    if (mayTry(context, last)) pending.push(period);
    else problems.push(backOffProblem(configured, period.date, last?.attempts ?? 0));
  }
  let emitted = 0;
  for (const [index, period] of pending.entries()) {
    context.signal.throwIfAborted();
    const previous = records.get(period.date);
    const outcome = await emitPeriod(context, { configured, period, previous, problems });
    records.set(period.date, outcome);
    if (outcome.status === 'emitted') emitted += 1;
    context.onProgress({
      tenant: context.name,
      stage: 'emit',
      done: index + 1,
      total: pending.length,
      date: period.date,
    });
  }
  await withdrawReplaced(context, { configured, days, records, problems });
  await finish(context, configured, problems);
  return emitted;
}

/** Tells of each period that retention has closed, once. */
async function close(
  { store, clock }: TenantContext,
  { configured, days, problems }: EmitterRun,
  { due, records }: { due: DuePeriods; records: Map<IsoDate, EmissionRecord> },
): Promise<void> {
  for (const period of due.closed) {
    const { aggregation, name } = configured;
    const nothing = { emitter: name, period, aggregation, batchId: null, mark: null, attempts: 0 };
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
  { aggregation, emitter }: ConfiguredEmitter,
  { period, last }: { period: Period; last: EmissionRecord | undefined },
): Promise<boolean> {
  if (last?.status !== 'emitted' || last.batchId !== period.batchId || last.aggregation !== aggregation)
    return true;
  if (!emitter.holds) return false;
  try {
    return !(await emitter.holds(emittedBatch(context, last)));
  } catch {
    // It cannot tell: emitted once too often is no harm, and what is wrong is told by that emission.
    return true;
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
