import { type ErrorCode, type IsoDate, makeProblem, type Problem } from '@chargeback/plugin-api';

const NAMED_ROWS = 3;

interface Group {
  readonly code: ErrorCode;
  readonly severity: Problem['severity'];
  readonly date: IsoDate | null;
  readonly messages: string[];
  count: number;
}

/** Collects what is wrong with rows: one problem for each day and kind, however many rows have it. */
export class RowProblems {
  readonly #groups = new Map<string, Group>();

  /** An error holds the day; without a day it holds the whole window. */
  add(code: ErrorCode, message: string, { severity, date }: Pick<Problem, 'severity' | 'date'>): void {
    const key = `${code}/${severity}/${date}`;
    let group = this.#groups.get(key);
    if (!group) {
      group = { code, severity, date, messages: [], count: 0 };
      this.#groups.set(key, group);
    }
    group.count += 1;
    if (group.messages.length < NAMED_ROWS) group.messages.push(message);
  }

  all(): Problem[] {
    return [...this.#groups.values()].map(({ code, severity, date, messages, count }) => {
      const more = count > messages.length ? `; and ${count - messages.length} more` : '';
      const day = date === null ? '' : `${date}: `;
      return makeProblem(code, `${day}${messages.join('; ')}${more}`, {
        severity,
        path: 'billing/v1/costs',
        ...(date === null ? {} : { date }),
      });
    });
  }
}
