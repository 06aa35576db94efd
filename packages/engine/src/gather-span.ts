import {
  ChargebackError,
  describeCause,
  type IsoDate,
  makeProblem,
  type Problem,
} from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import { askSpan, isWhole, type SpanAnswer } from './ask-span.ts';
import { distinct, earlierProblems } from './earlier-problems.ts';
import { rethrowFatal } from './rethrow-fatal.ts';
import {
  type DayStored,
  type GatheredSpan,
  saveGathered,
  saveUsageAlone,
  type Sightings,
} from './save-gathered.ts';
import { silenceOf } from './silence.ts';
import type { TenantContext } from './tenant-context.ts';
import { LATE, type TimeShare } from './time-share.ts';

/** Days asked for singly that may all fail, at the beginning of their span, before its rest waits for the next run. */
const FAILURES_AT_FIRST = 7;

/** What a gather has come to so far. */
export interface GatherProgress {
  readonly states: ReadonlyMap<IsoDate, DateState>;
  sightings: Sightings;
  /** Whether the inventory was listed or the source asked. */
  asked: boolean;
  /** Days whose inputs were written. */
  readonly gathered: Set<IsoDate>;
  /** Usage queries that the source answered, by day. */
  readonly answered: Map<IsoDate, Set<string>>;
  /** Spans that the source answered, and what the last one that it did not answer said. */
  answers: number;
  failure: unknown;
  /** Whether no day of the last span that was asked for day by day could be had. */
  isDown: boolean;
  /** Those of no day, replaced as a whole in the end. */
  readonly undated: Problem[];
}

export interface GatherWork {
  /** Its signal knows of no time for gathering. */
  readonly run: TenantContext;
  readonly time: TimeShare;
  readonly progress: GatherProgress;
}

export interface StoringWork extends GatherWork {
  readonly onStored: (stored: DayStored) => void;
}

interface SpanWork extends StoringWork {
  readonly span: readonly IsoDate[];
  readonly problems: Problem[];
}

/** What is asked for again with its bill alone was answered all the same. */
export function noteAnswered({ answered }: GatherProgress, { usage }: SpanAnswer): void {
  for (const [date, days] of usage) {
    const before = answered.get(date) ?? [];
    answered.set(date, new Set([...before, ...days.map(({ queryKey }) => queryKey)]));
  }
}

/** Writes a span that was answered as a whole, and what went wrong with its days. */
export async function storeWhole(work: StoringWork, answer: SpanAnswer): Promise<void> {
  const spanWork: SpanWork = { ...work, span: answer.span, problems: [] };
  await recorded(spanWork, () => storeAnswer(spanWork, answer));
  await record(spanWork, answer.span);
  work.progress.isDown = false;
}

/** `too much`: the span took more time than there is and is to be asked for in smaller ones. `hung`: so did a day. */
export type Unanswered = 'done' | 'hung' | 'too much';

/** Keeps what was measured, and asks for the days of a span that failed one by one, so that one bad day stays one. */
export async function settleUnanswered(work: StoringWork, answer: SpanAnswer): Promise<Unanswered> {
  const spanWork: SpanWork = { ...work, span: answer.span, problems: [] };
  const outcome = await recorded(spanWork, () => settle(spanWork, answer));
  if (outcome !== 'too much') await record(spanWork, answer.span);
  return outcome;
}

async function settle(work: SpanWork, answer: SpanAnswer): Promise<Unanswered> {
  const { run, time, span } = work;
  await keepUsage(work, answer);
  time.signal.throwIfAborted();
  if (answer.isCut) return late(work);
  if (span.length === 1) {
    failed(work, answer);
    return 'done';
  }
  for (const reason of answer.failures) rethrowFatal(run, reason);
  return (await time.half((signal) => gatherDayByDay(work, signal))) === LATE ? late(work) : 'done';
}

async function late(work: SpanWork): Promise<Unanswered> {
  const { progress, span, problems } = work;
  if (span.length > 1) {
    // Of what is stored already nobody else will tell.
    await keepWarnings(work);
    for (const date of span) progress.answered.delete(date);
    return 'too much';
  }
  const message = `${span[0]}: the source did not answer in time`;
  progress.failure = message;
  problems.push({ ...makeProblem('CB_RUN_TIMEOUT', message, { severity: 'error' }), date: span[0]! });
  return 'hung';
}

/** A source that is down is not asked for every day: of later spans one day, the one that it is likeliest to have. */
async function gatherDayByDay(work: SpanWork, signal: AbortSignal): Promise<void> {
  const { run, progress, problems, span } = work;
  const isGathered = (date: IsoDate): boolean => progress.gathered.has(date);
  const most = progress.isDown ? 1 : FAILURES_AT_FIRST;
  // What a source no longer has it lacks at the beginning: the rest of the span is not to wait for that for ever.
  const few = Math.min(most, span.length) - 1;
  const dates = [...span.slice(0, few), ...span.slice(-1), ...span.slice(few, -1)];
  for (const [index, date] of dates.entries()) {
    signal.throwIfAborted();
    const answer = await askSpan({ ...run, signal }, [date]);
    noteAnswered(progress, answer);
    if (isWhole(answer)) await storeAnswer(work, answer);
    else {
      await keepUsage(work, answer);
      signal.throwIfAborted();
      failed(work, answer);
    }
    if (index + 1 < most || span.some(isGathered)) continue;
    for (const left of dates.slice(index + 1)) problems.push(notGathered(left, progress.failure));
    break;
  }
  progress.isDown = !span.some(isGathered);
}

async function storeAnswer(work: SpanWork, answer: SpanAnswer): Promise<void> {
  const { run, progress } = work;
  const gathered = await gatheredSpan(work, answer);
  const silence = silenceOf(run.ecosystem.regather, gathered);
  if (silence === null) progress.answers += 1;
  else progress.failure = silence;
  await saveGathered(run, gathered);
}

/** What was measured is not asked again when the bill is. */
async function keepUsage(work: SpanWork, answer: SpanAnswer): Promise<void> {
  work.run.signal.throwIfAborted();
  if (!answer.measured) return;
  await saveUsageAlone(work.run, { ...(await gatheredSpan(work, answer)), batches: [] });
}

async function gatheredSpan(
  { run, progress, problems, onStored }: SpanWork,
  answer: SpanAnswer,
): Promise<GatheredSpan> {
  const { span, batches, usage } = answer;
  const onSaved = (stored: DayStored): void => {
    progress.gathered.add(stored.state.date);
    onStored(stored);
  };
  const earlier = await earlierProblems(run, progress.answered, span);
  return { ...progress, problems, earlier, span, batches, usage, onSaved };
}

function failed({ run, progress, problems }: SpanWork, { span, failures }: SpanAnswer): void {
  for (const reason of failures) rethrowFatal(run, reason);
  progress.failure = failures[0];
  problems.push(notGathered(span[0]!, progress.failure));
}

/** What is known of the days that were asked counts, also when the time is over. */
async function recorded<Result>(work: SpanWork, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (cause) {
    const told = new Set(work.problems.map(({ date }) => date));
    const isKnown = (date: IsoDate): boolean => told.has(date) || work.progress.gathered.has(date);
    if (work.time.isOver) await record(work, work.span.filter(isKnown));
    throw cause;
  }
}

/** Replaces what earlier runs told of these days. */
async function record({ run, progress, span, problems }: SpanWork, dates: readonly IsoDate[]): Promise<void> {
  const inside = new Set<IsoDate | null>(span);
  const dated = distinct(problems).filter(({ date }) => inside.has(date));
  progress.undated.push(...problems.filter(({ date }) => !inside.has(date)));
  tell(run, dated);
  const { standing } = await earlierProblems(run, progress.answered, dates);
  if (dates.length > 0) await run.store.saveProblems('gather', dates, distinct([...standing, ...dated]));
}

/** Usage that is not whole is asked for again with a smaller span, and may be told of with the larger one already. */
function tell({ problems }: TenantContext, found: readonly Problem[]): void {
  if (found.length === 0) return;
  const told = new Set(problems.map((problem) => JSON.stringify(problem)));
  problems.push(...found.filter((problem) => !told.has(JSON.stringify(problem))));
}

/** Replaces what earlier runs told of usage that has been answered since; the rest is for smaller spans to tell. */
async function keepWarnings({ run, progress, span, problems }: SpanWork): Promise<void> {
  const warnings = distinct(problems).filter(({ severity, date }) => severity === 'warning' && date !== null);
  tell(run, warnings);
  const { standing, refuted, unanswered } = await earlierProblems(run, progress.answered, span);
  const dates = new Set([...warnings, ...refuted].map(({ date }) => date!));
  const left = [...standing, ...unanswered].filter(({ date }) => dates.has(date!));
  if (dates.size > 0) await run.store.saveProblems('gather', [...dates], [...left, ...warnings]);
}

function notGathered(date: IsoDate, cause: unknown): Problem {
  const fix = ChargebackError.isInstance(cause) ? { fix: cause.fix } : {};
  return makeProblem('CB_BILLING_GATHER', `${date}: ${describeCause(cause)}`, {
    severity: 'error',
    date,
    ...fix,
  });
}
