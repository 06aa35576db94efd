import { formatUnits } from '@chargeback/money';
import { type BillingLineItem, ChargebackError, type IsoDate } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf } from '../convert.ts';
import type { CalculatedDay, CalculatedLine, CalculatedPortion } from '../store.ts';
import { type BilledLine, deleteUnusedKeys, loadLines } from './billing-lines.ts';
import { dateStateRow } from './date-states.ts';
import type { Dimensions } from './dimensions.ts';
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
    if (!dateStateRow(database, day)) {
      throw new ChargebackError('CB_INTERNAL', `${calculated.date} was calculated but has no inputs`);
    }
    const previous = dateStateRow(database, day)!;
    const revised = previous.row_count > 0 && previous.calculation_id !== calculated.calculationId;
    const before = revised ? dayTotals(database, day) : null;
    const billed = new Map(loadLines(database, day).map((stored) => [stored.line.lineId, stored]));
    assertSameLines(calculated, billed);
    deleteResults(database, day);
    for (const line of calculated.lines) {
      const { date, calculatedAt } = calculated;
      saveLine({ database, dimensions, day, date, calculatedAt }, billed.get(line.lineId)!, line);
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

function assertSameLines({ date, lines }: CalculatedDay, billed: ReadonlyMap<string, BilledLine>): void {
  const unknown = lines.find(({ lineId }) => !billed.has(lineId));
  const distinct = new Set(lines.map(({ lineId }) => lineId)).size;
  if (!unknown && distinct === billed.size && lines.length === billed.size) return;
  const what = unknown
    ? `line ${unknown.lineId} is not in the stored bill`
    : `${billed.size} lines are billed, ${lines.length} were calculated`;
  throw new ChargebackError('CB_UNCONSERVED', `${date}: ${what}`, {
    fix: 'Run again: the bill changed while the day was being calculated.',
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
}

function saveLine(target: LineTarget, { lineKey, line }: BilledLine, calculated: CalculatedLine): void {
  const { database, day } = target;
  const { units: billed, currency } = line.totalCost;
  database
    .statement(
      `insert into calculated_lines (line_key, day, timestamp, currency, billed_units, retained_units, state)
       values (?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      lineKey,
      day,
      line.timestamp.getTime(),
      currency,
      billed,
      calculated.retainedUnits,
      calculated.state,
    );
  let sum = calculated.retainedUnits;
  for (const [index, portion] of calculated.portions.entries()) {
    savePortion(database, portion, [lineKey, index]);
    sum += saveFacts(target, { line, portion, lineKey, index });
  }
  const expected = calculated.state === 'held' ? 0n : billed;
  if (sum !== expected) {
    const what = calculated.state === 'held' ? 'is held' : `is ${formatUnits(billed)}`;
    throw new ChargebackError(
      'CB_UNCONSERVED',
      `${target.date}: line ${line.lineId} ${what}, its rows and retained cost are ${formatUnits(sum)}`,
      { path: line.lineId },
    );
  }
  saveAttempts(target, calculated);
}

function savePortion(
  database: SqliteDatabase,
  portion: CalculatedPortion,
  key: readonly [number, number],
): void {
  database
    .statement(
      `insert into line_portions (line_key, portion_index, cost_type, allocation_method, allocation_detail,
         chain_tier, composition_index, composition_ratio, tiers_tried) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      ...key,
      portion.costType,
      portion.method,
      portion.detail,
      portion.chainTier,
      portion.compositionIndex,
      portion.compositionRatio?.toFixed() ?? null,
      JSON.stringify(portion.tiersTried),
    );
}

interface FactTarget {
  readonly line: BillingLineItem;
  readonly portion: CalculatedPortion;
  readonly lineKey: number;
  readonly index: number;
}

/** Writes the rows of a portion and returns their sum. Rows that agree in every dimension are added. */
function saveFacts({ database, dimensions, day }: LineTarget, fact: FactTarget): bigint {
  const { portion, lineKey, index } = fact;
  const insert = database.statement(
    `insert into chargeback_facts (day, line_key, portion_index, dimension_id, amount, ratio)
     values (?, ?, ?, ?, ?, ?)
     on conflict do update set amount = amount + excluded.amount, ratio = ratio + excluded.ratio`,
  );
  const dimensionOf = dimensions.ofPortion(fact.line, portion);
  const { identityIds, units, ratios } = portion;
  let sum = 0n;
  for (let row = 0; row < identityIds.length; row += 1) {
    const amount = units[row]!;
    insert.run(day, lineKey, index, dimensionOf(identityIds[row]!), amount, ratios[row]!);
    sum += amount;
  }
  return sum;
}

function isFailed({ portions }: CalculatedLine): boolean {
  return portions.some(({ detail }) => detail === 'ALLOCATION_FAILED');
}

/** The instant is that of the last try that counted. */
function saveAttempts(
  { database, day, calculatedAt }: LineTarget,
  { lineId, attempts }: CalculatedLine,
): void {
  if (attempts === 0) {
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
  database.run(
    database.build
      .updateTable('date_states')
      .set({
        state: calculated.state,
        calculation_fingerprint: calculated.calculationFingerprint,
        calculation_id: calculated.calculationId,
        calculated_at: calculated.calculatedAt.getTime(),
        run_id: calculated.runId,
        row_count: rowCount,
        held_line_count: calculated.lines.filter(({ state }) => state === 'held').length,
        failed_line_count: calculated.lines.filter(isFailed).length,
      })
      .where('day', '=', day),
  );
}
