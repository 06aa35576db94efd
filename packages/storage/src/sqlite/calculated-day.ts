import { ChargebackError, type IsoDate } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf } from '../convert.ts';
import type { BilledLine } from '../queries/billing-lines.ts';
import {
  assertConserved,
  assertSameLines,
  CALCULATED_LINE_COLUMNS,
  calculatedLineValues,
  PORTION_COLUMNS,
  portionValues,
} from '../queries/calculated-day.ts';
import { markCalculatedQuery } from '../queries/date-states.ts';
import { isRevision } from '../queries/revisions.ts';
import type { CalculatedDay, CalculatedLine, CalculatedPortion } from '../store.ts';
import { deleteUnusedKeys, loadBilledLines } from './billing-lines.ts';
import { dateStateRow } from './date-states.ts';
import type { Dimensions } from './dimensions.ts';
import { bulkInsert, insertRows } from './insert-rows.ts';
import { replaceProblems } from './problems.ts';
import { dayTotals, saveRevision } from './revisions.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/**
 * Replaces the rows of a day by the result of a calculation, all in one transaction, after checking that
 * rows and retained cost of every line add up to the stored bill.
 * @throws {ChargebackError} `CB_UNCONSERVED`; the former rows stay then.
 */
export function saveCalculatedDay(
  database: SqliteDatabase,
  dimensions: Dimensions,
  calculated: CalculatedDay,
): void {
  const day = dayNumberOf(calculated.date);
  database.write(() => {
    const previous = dateStateRow(database, day);
    if (!previous) {
      throw new ChargebackError('CB_INTERNAL', `${calculated.date} was calculated but has no inputs`);
    }
    const before = isRevision(previous, calculated) ? dayTotals(database, day) : null;
    const billed = loadBilledLines(database, day);
    assertSameLines(calculated, billed);
    // Before the first calculation there is nothing to replace.
    const isFirst = previous.calculation_id === null;
    if (!isFirst) deleteResults(database, day);
    for (const line of calculated.lines) {
      const { date, calculatedAt } = calculated;
      saveLine({ database, dimensions, day, date, calculatedAt, isFirst }, billed.get(line.lineId)!, line);
    }
    deleteUnusedKeys(database, day);
    replaceProblems(database, {
      stage: 'calculate',
      dates: [calculated.date],
      problems: calculated.problems.map((problem) => ({ ...problem, date: calculated.date })),
    });
    markCalculated(database, day, calculated);
    if (before) saveRevision(database, { day, calculated, before });
  });
}

function deleteResults(database: SqliteDatabase, day: DayNumber): void {
  database.statement('delete from chargeback_facts where day = ?').run(day);
  database
    .statement(
      'delete from line_portions where line_key in (select line_key from calculated_lines where day = ?)',
    )
    .run(day);
  database.statement('delete from calculated_lines where day = ?').run(day);
  database
    .statement(
      `delete from line_attempts where day = @day and line_id not in (
         select line_id from line_keys join billing_lines using (line_key) where line_keys.day = @day)`,
    )
    .run({ day });
}

interface LineTarget {
  readonly database: SqliteDatabase;
  readonly dimensions: Dimensions;
  readonly day: DayNumber;
  readonly date: IsoDate;
  readonly calculatedAt: Date;
  /** The day has no results yet, and no tries. */
  readonly isFirst: boolean;
}

const INSERT_LINE = `insert into calculated_lines (${CALCULATED_LINE_COLUMNS.join(', ')})
  values (${CALCULATED_LINE_COLUMNS.map(() => '?').join(', ')})`;

const INSERT_PORTION = `insert into line_portions (${PORTION_COLUMNS.join(', ')})
  values (${PORTION_COLUMNS.map(() => '?').join(', ')})`;

function saveLine(target: LineTarget, billed: BilledLine, calculated: CalculatedLine): void {
  const { database, day, date } = target;
  const { lineKey, line } = billed;
  database.statement(INSERT_LINE).run(...calculatedLineValues(day, billed, calculated));
  let sum = calculated.retainedUnits;
  for (const [index, portion] of calculated.portions.entries()) {
    database.statement(INSERT_PORTION).run(...portionValues(lineKey, index, portion));
    sum += saveFacts(target, { line, portion, lineKey, index });
  }
  assertConserved({ date, line }, calculated, sum);
  saveAttempts(target, calculated);
}

interface FactTarget {
  readonly line: BilledLine['line'];
  readonly portion: CalculatedPortion;
  readonly lineKey: number;
  readonly index: number;
}

const INSERT_FACTS = bulkInsert({
  table: 'chargeback_facts',
  common: ['day', 'line_key', 'portion_index'],
  columns: ['dimension_id', 'amount', 'ratio'],
  after: 'on conflict do update set amount = amount + excluded.amount, ratio = ratio + excluded.ratio',
});

/** Writes the rows of a portion and returns their sum. Rows that agree in every dimension are added. */
function saveFacts({ database, dimensions, day }: LineTarget, fact: FactTarget): bigint {
  const { portion, lineKey, index } = fact;
  const dimensionOf = dimensions.ofPortion(fact.line, portion);
  const { identityIds, units, ratios } = portion;
  let sum = 0n;
  insertRows(database, INSERT_FACTS, {
    count: identityIds.length,
    common: { day, line_key: lineKey, portion_index: index },
    fill(row, into, at) {
      const amount = units[row]!;
      into[at] = dimensionOf(identityIds[row]!);
      into[at + 1] = amount;
      into[at + 2] = ratios[row]!;
      sum += amount;
    },
  });
  return sum;
}

/** The instant is that of the last try that counted. */
function saveAttempts(
  { database, day, calculatedAt, isFirst }: LineTarget,
  { lineId, attempts }: CalculatedLine,
): void {
  if (attempts === 0) {
    if (isFirst) return;
    database.statement('delete from line_attempts where day = ? and line_id = ?').run(day, lineId);
  } else {
    database
      .statement(
        `insert into line_attempts (day, line_id, attempts, tried_at) values (?, ?, ?, ?)
         on conflict do update set attempts = excluded.attempts,
           tried_at = case when attempts = excluded.attempts then tried_at else excluded.tried_at end`,
      )
      .run(day, lineId, attempts, calculatedAt.getTime());
  }
}

function markCalculated(database: SqliteDatabase, day: DayNumber, calculated: CalculatedDay): void {
  const rowCount = database
    .statement('select count(*) from chargeback_facts where day = ?')
    .pluck()
    .get(day) as number;
  database.run(markCalculatedQuery(database.build, calculated, { day, rowCount }));
}
