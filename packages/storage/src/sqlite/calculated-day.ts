import { ChargebackError } from '@chargeback/plugin-api';
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
import type { DimensionOf, Dimensions } from './dimensions.ts';
import { bulkInsert, insertRows, insertTuples } from './insert-rows.ts';
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
    saveLines({ database, dimensions, day }, { billed, calculated });
    for (const line of calculated.lines) saveAttempts({ database, day, calculated, isFirst }, line);
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

interface DayTarget {
  readonly database: SqliteDatabase;
  readonly dimensions: Dimensions;
  readonly day: DayNumber;
}

interface Results {
  readonly billed: ReadonlyMap<string, BilledLine>;
  readonly calculated: CalculatedDay;
}

const INSERT_LINES = bulkInsert({ table: 'calculated_lines', columns: CALCULATED_LINE_COLUMNS });
const INSERT_PORTIONS = bulkInsert({ table: 'line_portions', columns: PORTION_COLUMNS });

function saveLines(target: DayTarget, { billed, calculated: { date, lines } }: Results): void {
  const { database, dimensions, day } = target;
  const lineRows: unknown[][] = [];
  const portionRows: unknown[][] = [];
  const facts: FactPortion[] = [];
  for (const calculated of lines) {
    const billedLine = billed.get(calculated.lineId)!;
    const { lineKey, line } = billedLine;
    assertConserved({ date, line }, calculated);
    lineRows.push(calculatedLineValues(day, billedLine, calculated));
    for (const [index, portion] of calculated.portions.entries()) {
      portionRows.push(portionValues(lineKey, index, portion));
      if (portion.identityIds.length === 0) continue;
      facts.push({ lineKey, index, portion, dimensionOf: dimensions.ofPortion(line, portion) });
    }
  }
  insertTuples(database, INSERT_LINES, lineRows);
  insertTuples(database, INSERT_PORTIONS, portionRows);
  saveFacts(target, facts);
}

interface FactPortion {
  readonly lineKey: number;
  readonly index: number;
  /** With rows. */
  readonly portion: CalculatedPortion;
  readonly dimensionOf: DimensionOf;
}

const INSERT_FACTS = bulkInsert({
  table: 'chargeback_facts',
  common: ['day'],
  columns: ['line_key', 'portion_index', 'dimension_id', 'amount', 'ratio'],
  after: 'on conflict do update set amount = amount + excluded.amount, ratio = ratio + excluded.ratio',
});

/** Writes the rows of all portions of a day as one list: most have few. Rows that agree in every dimension are added. */
function saveFacts(
  { database, day }: Pick<DayTarget, 'database' | 'day'>,
  facts: readonly FactPortion[],
): void {
  let at = 0;
  let row = 0;
  insertRows(database, INSERT_FACTS, {
    count: facts.reduce((count, { portion }) => count + portion.identityIds.length, 0),
    common: { day },
    fill(_, into, place) {
      if (row === facts[at]!.portion.identityIds.length) {
        at += 1;
        row = 0;
      }
      const { lineKey, index, portion, dimensionOf } = facts[at]!;
      into[place] = lineKey;
      into[place + 1] = index;
      into[place + 2] = dimensionOf(portion.identityIds[row]!);
      into[place + 3] = portion.units[row];
      into[place + 4] = portion.ratios[row];
      row += 1;
    },
  });
}

interface AttemptsTarget {
  readonly database: SqliteDatabase;
  readonly day: DayNumber;
  readonly calculated: CalculatedDay;
  /** The day has no results yet, and no tries. */
  readonly isFirst: boolean;
}

/** The instant is that of the last try that counted. */
function saveAttempts(
  { database, day, calculated: { calculatedAt }, isFirst }: AttemptsTarget,
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
