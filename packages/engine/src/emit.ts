import {
  ChargebackError,
  type ChargebackRow,
  dayWindow,
  daysOf,
  describeCause,
  type EmissionBatch,
  type EmissionReceipt,
  type IsoDate,
  isoDateOf,
  makeProblem,
  MILLISECONDS_PER_DAY,
  type Problem,
  startOfDay,
  type Window,
} from '@chargeback/plugin-api';
import type { DateState, EmissionRecord } from '@chargeback/storage';
import { backOff } from './back-off.ts';
import type { ConfiguredEmitter } from './configured-emitter.ts';
import { digestOf } from './fingerprint.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import type { TenantContext } from './tenant-context.ts';

export interface EmitResult {
  readonly periodsEmitted: number;
}

/** A day or a month with the calculations that it shows. */
interface Period {
  readonly date: IsoDate;
  readonly window: Window;
  readonly batchId: string;
}

/**
 * Hands changed periods to each emitter. A period is keyed by its calculations, so what has not changed is
 * not emitted again and what failed is tried again. A failing emitter does not disturb the others.
 */
export async function emit(
  context: TenantContext,
  emitters: readonly ConfiguredEmitter[],
): Promise<EmitResult> {
  const problems: Problem[] = [];
  let periodsEmitted = 0;
  for (const configured of emitters) periodsEmitted += await emitAll(context, configured, problems);
  const dates = daysOf(context.window);
  const inside = new Set(dates);
  const dated = problems.filter(({ date }) => date !== null && inside.has(date));
  await context.store.saveProblems(
    'emit',
    [],
    problems.filter((problem) => !dated.includes(problem)),
  );
  if (dates.length > 0) await context.store.saveProblems('emit', dates, dated);
  context.problems.push(...problems);
  return { periodsEmitted };
}

async function emitAll(
  context: TenantContext,
  configured: ConfiguredEmitter,
  problems: Problem[],
): Promise<number> {
  const records = new Map(
    (await context.store.emissions(configured.name)).map((known) => [known.period, known]),
  );
  const periods = await periodsOf(context, configured, problems);
  const pending: Period[] = [];
  for (const period of periods) {
    const last = records.get(period.date);
    if (!(await isPending(configured, period, last))) continue;
    if (mayTry(context, last)) pending.push(period);
    else problems.push(backOffProblem(configured, period, last));
  }
  let emitted = 0;
  for (const [index, period] of pending.entries()) {
    context.signal.throwIfAborted();
    if (await emitPeriod(context, { configured, period, previous: records.get(period.date), problems }))
      emitted += 1;
    context.onProgress({
      tenant: context.name,
      stage: 'emit',
      done: index + 1,
      total: pending.length,
      date: period.date,
    });
  }
  await finish(context, configured, problems);
  return emitted;
}

async function isPending(
  { aggregation, emitter }: ConfiguredEmitter,
  { batchId, window }: Period,
  last: EmissionRecord | undefined,
): Promise<boolean> {
  if (last?.status !== 'emitted' || last.batchId !== batchId || last.aggregation !== aggregation) return true;
  if (!emitter.holds) return false;
  try {
    return !(await emitter.holds({ batchId, period: window, aggregation }));
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
  try {
    await emitter.finish?.(aggregation, context.signal);
  } catch (cause) {
    rethrowFatal(context, cause);
    problems.push(emissionProblem({ name, cause }));
  }
}

function mayTry({ patient, clock }: TenantContext, last: EmissionRecord | undefined): boolean {
  if (!patient || last?.status !== 'failed') return true;
  return clock().getTime() >= last.emittedAt.getTime() + backOff(last.attempts);
}

async function periodsOf(
  context: TenantContext,
  configured: ConfiguredEmitter,
  problems: Problem[],
): Promise<Period[]> {
  const monthly = configured.aggregation === 'monthly';
  const window = monthly ? wholeMonths(context.window) : context.window;
  const byPeriod = new Map<IsoDate, DateState[]>();
  for (const state of await context.store.dateStates(window)) {
    const date = monthly ? `${state.date.slice(0, 7)}-01` : state.date;
    byPeriod.set(date, [...(byPeriod.get(date) ?? []), state]);
  }
  const earliest = earliestDay(context, configured);
  const beginning = await beginningOf(context);
  const periods: Period[] = [];
  for (const [date, states] of byPeriod) {
    // A period with a held or uncalculated day would show too little: it waits, and its old emission stays.
    if (states.some(({ state }) => state !== 'calculated') || states.at(-1)!.date < earliest) continue;
    // Of a period that retention has begun to remove the emission stays as it is.
    if (date < context.retentionStart) continue;
    const missing = monthly
      ? missingDay(context, { states, month: monthWindow(date), beginning })
      : undefined;
    if (missing !== undefined) {
      problems.push(waitingProblem(configured, date, missing));
      continue;
    }
    const batchId = digestOf([
      configured.aggregation ?? '',
      ...states.map(({ calculationId }) => calculationId ?? ''),
    ]);
    periods.push({ date, batchId, window: monthly ? monthWindow(date) : dayWindow(date) });
  }
  return periods;
}

/** What failed stays a problem as long as it waits for its next try. */
function backOffProblem(
  { name }: ConfiguredEmitter,
  { date }: Period,
  last: EmissionRecord | undefined,
): Problem {
  const message = `emitter ${name}, ${date}: failed ${last?.attempts ?? 0} times and waits for its next try`;
  return makeProblem('CB_EMIT_FAILED', message, { severity: 'error', path: name, date });
}

/** The first day that this tenant was ever billed for, or is now. */
async function beginningOf(context: TenantContext): Promise<IsoDate> {
  const first = await context.store.firstDate();
  const start = isoDateOf(context.window.start);
  return first !== null && first < start ? first : start;
}

/** A day of a month, between the tenant's beginning and the end of what is known, that has no inputs at all. */
function missingDay(
  context: TenantContext,
  { states, month, beginning }: { states: readonly DateState[]; month: Window; beginning: IsoDate },
): IsoDate | undefined {
  const known = new Set(states.map(({ date }) => date));
  const lastKnown = dayWindow(states.at(-1)!.date).end;
  const end = Math.min(month.end.getTime(), Math.max(context.window.end.getTime(), lastKnown.getTime()));
  return daysOf({ start: month.start, end: new Date(end) }).find(
    (date) => date >= beginning && !known.has(date),
  );
}

function waitingProblem({ name }: ConfiguredEmitter, period: IsoDate, missing: IsoDate): Problem {
  const message = `emitter ${name}: ${period.slice(0, 7)} waits, because ${missing} has no inputs`;
  return makeProblem('CB_EMIT_INCOMPLETE', message, { severity: 'error', date: period, path: name });
}

function earliestDay(context: TenantContext, { lookbackDays }: ConfiguredEmitter): IsoDate {
  if (lookbackDays === null) return '';
  return new Date(context.clock().getTime() - lookbackDays * MILLISECONDS_PER_DAY).toISOString().slice(0, 10);
}

function wholeMonths(window: Window): Window {
  const last = new Date(window.end.getTime() - 1);
  return {
    start: new Date(Date.UTC(window.start.getUTCFullYear(), window.start.getUTCMonth(), 1)),
    end: new Date(Date.UTC(last.getUTCFullYear(), last.getUTCMonth() + 1, 1)),
  };
}

function monthWindow(date: IsoDate): Window {
  const start = startOfDay(date);
  return { start, end: new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1)) };
}

interface Emission {
  readonly configured: ConfiguredEmitter;
  readonly period: Period;
  readonly previous: EmissionRecord | undefined;
  readonly problems: Problem[];
}

async function emitPeriod(context: TenantContext, emission: Emission): Promise<boolean> {
  const { configured, period, previous } = emission;
  const sent: Sent = { rowCount: 0, totals: new Map() };
  try {
    const batch: EmissionBatch = {
      batchId: period.batchId,
      ecosystem: context.ecosystemName,
      tenantId: context.tenantId,
      period: period.window,
      aggregation: configured.aggregation,
      rows: counted(context.store.rows(period.window, configured.aggregation), sent),
    };
    assertReceipt(await configured.emitter.emit(batch, context.signal), sent);
  } catch (cause) {
    rethrowFatal(context, cause);
    emission.problems.push(emissionProblem({ name: configured.name, date: period.date, cause }));
    await record(context, emission, { batchId: previous?.batchId ?? null, status: 'failed' });
    return false;
  }
  await record(context, emission, { batchId: period.batchId, status: 'emitted' });
  return true;
}

async function record(
  context: TenantContext,
  { configured, period, previous }: Emission,
  outcome: Pick<EmissionRecord, 'batchId' | 'status'>,
): Promise<void> {
  await context.store.saveEmission({
    emitter: configured.name,
    period: period.date,
    aggregation: configured.aggregation,
    attempts: (previous?.status === 'failed' ? previous.attempts : 0) + 1,
    emittedAt: context.clock(),
    ...outcome,
  });
}

interface Failure {
  readonly name: string;
  /** Without one it is not of a single period. */
  readonly date?: IsoDate;
  readonly cause: unknown;
}

function emissionProblem({ name, date, cause }: Failure): Problem {
  const coded = ChargebackError.isInstance(cause) ? cause : null;
  const what = date === undefined ? `emitter ${name}` : `emitter ${name}, ${date}`;
  return makeProblem(coded?.code ?? 'CB_EMIT_FAILED', `${what}: ${describeCause(cause)}`, {
    severity: 'error',
    path: name,
    ...(date === undefined ? {} : { date }),
    ...(coded ? { fix: coded.fix } : {}),
  });
}

interface Sent {
  rowCount: number;
  readonly totals: Map<string, bigint>;
}

async function* counted(
  rows: AsyncIterable<readonly ChargebackRow[]>,
  sent: Sent,
): AsyncIterable<readonly ChargebackRow[]> {
  for await (const chunk of rows) {
    sent.rowCount += chunk.length;
    for (const { amount } of chunk)
      sent.totals.set(amount.currency, (sent.totals.get(amount.currency) ?? 0n) + amount.units);
    yield chunk;
  }
}

function assertReceipt(receipt: EmissionReceipt, sent: Sent): void {
  const same =
    receipt.rowCount === sent.rowCount &&
    receipt.totals.size === sent.totals.size &&
    [...sent.totals].every(([currency, units]) => receipt.totals.get(currency) === units);
  if (!same) {
    throw new ChargebackError(
      'CB_EMIT_RECEIPT',
      `the emitter confirmed ${receipt.rowCount} rows of ${sent.rowCount} sent, or another total`,
    );
  }
}
