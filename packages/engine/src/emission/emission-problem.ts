import {
  ChargebackError,
  describeCause,
  type IsoDate,
  makeProblem,
  type Problem,
} from '@chargeback/plugin-api';
import type { ConfiguredEmitter } from '../configured-emitter.ts';

interface Failure {
  readonly name: string;
  /** Without one it is not of a single period. */
  readonly date?: IsoDate;
  readonly cause: unknown;
}

export function emissionProblem({ name, date, cause }: Failure): Problem {
  const coded = ChargebackError.isInstance(cause) ? cause : null;
  const what = date === undefined ? `emitter ${name}` : `emitter ${name}, ${date}`;
  return makeProblem(coded?.code ?? 'CB_EMIT_FAILED', `${what}: ${describeCause(cause)}`, {
    severity: 'error',
    path: name,
    ...(date === undefined ? {} : { date }),
    ...(coded ? { fix: coded.fix } : {}),
  });
}

/** What failed stays a problem as long as it waits for its next try. */
export function backOffProblem({ name }: ConfiguredEmitter, date: IsoDate, attempts: number): Problem {
  const message = `emitter ${name}, ${date}: failed ${attempts} times and waits for its next try`;
  return makeProblem('CB_EMIT_FAILED', message, { severity: 'error', path: name, date });
}

/** A period that waits for a day without inputs. */
export function missingProblem({ name }: ConfiguredEmitter, period: IsoDate, missing: IsoDate): Problem {
  const message = `emitter ${name}: ${period.slice(0, 7)} waits, because ${missing} has no inputs`;
  return makeProblem('CB_EMIT_INCOMPLETE', message, { severity: 'error', date: period, path: name });
}

/** A period that waits for days which no run looks at any more. */
export function leftBehindProblem(
  { configured: { name, aggregation }, tenant }: { configured: ConfiguredEmitter; tenant: string },
  period: IsoDate,
  days: readonly IsoDate[],
): Problem {
  const which = aggregation === 'monthly' ? period.slice(0, 7) : period;
  const are = days.length === 1 ? 'is' : 'are';
  const message = `emitter ${name}: ${which} waits, because ${days.join(', ')} ${are} not calculated and no longer looked at`;
  return makeProblem('CB_EMIT_INCOMPLETE', message, {
    severity: 'error',
    date: period,
    path: name,
    fix: `Run \`chargeback recalculate --tenant ${tenant} --from ${days[0]} --to ${days.at(-1)}\`, with --regather when the source has what was missing.`,
  });
}

/** So many are named; the rest is counted. */
const MOST_NAMED = 20;

/** Batches of former settings of which the emitter cannot tell whether they are its own. */
export function leftProblem({ name }: ConfiguredEmitter, left: readonly string[]): Problem {
  const more = left.length > MOST_NAMED ? `, and ${left.length - MOST_NAMED} more` : '';
  const message = `emitter ${name}: written with former settings and still there, beside what shows the same costs now: ${left.slice(0, MOST_NAMED).join(', ')}${more}`;
  return makeProblem('CB_EMIT_LEFT', message, { severity: 'error', path: name });
}

/** Told once: a month of which retention has removed days is not whole and never will be. */
export function closedProblem({ name }: ConfiguredEmitter, period: IsoDate, keeps: IsoDate): Problem {
  const message = `emitter ${name}: ${period.slice(0, 7)} is not emitted any more, because retention_days removed its days before ${keeps}; what was emitted of it stays as it is`;
  return makeProblem('CB_EMIT_INCOMPLETE', message, {
    date: period,
    path: name,
    fix: 'Keep whole months: raise retention_days. Days that the source still has come back with `chargeback run --from --to`.',
  });
}
