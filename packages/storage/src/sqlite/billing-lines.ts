import { compareKeys, Decimal } from '@chargeback/money';
import { type BillingLineItem, ChargebackError } from '@chargeback/plugin-api';
import { sql } from 'kysely';
import { coverageOf, type DayNumber, instantOf, isoDateOfDay, metadataOf, metadataText } from '../convert.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** What the calculation of a line needs to know of the stored bill. */
export interface BilledLine {
  readonly lineKey: number;
  readonly line: BillingLineItem;
}

/**
 * Replaces the bill of a day. A line that was there keeps its key. Keys of withdrawn lines stay as long as
 * there are rows that refer to them. Inside a write transaction.
 */
export function replaceLines(
  database: SqliteDatabase,
  day: DayNumber,
  lines: readonly BillingLineItem[],
): void {
  const keys = lineKeys(database, day);
  const seen = new Set<string>();
  database.statement('delete from billing_lines where day = ?').run(day);
  const addKey = database.statement('insert into line_keys (day, line_id) values (?, ?)');
  for (const line of lines) {
    if (seen.has(line.lineId)) {
      const message = `${isoDateOfDay(day)}: two lines are called ${line.lineId}`;
      throw new ChargebackError('CB_LINE_INVALID', message, { path: line.lineId });
    }
    seen.add(line.lineId);
    const key = keys.get(line.lineId) ?? Number(addKey.run(day, line.lineId).lastInsertRowid);
    insertLine(database, { day, key, line });
  }
  deleteUnusedKeys(database, day);
}

function insertLine(
  database: SqliteDatabase,
  { day, key, line }: { day: DayNumber; key: number; line: BillingLineItem },
): void {
  database
    .statement(
      `insert into billing_lines (line_key, day, timestamp, granularity, resource_id, environment_id,
         product_category, product_type, quantity, unit_price, total_units, currency, samples_seen,
         samples_expected, definition, metadata) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      key,
      day,
      line.timestamp.getTime(),
      line.granularity,
      line.resourceId,
      line.environmentId,
      line.productCategory,
      line.productType,
      line.quantity.toFixed(),
      line.unitPrice.toFixed(),
      line.totalCost.units,
      line.totalCost.currency,
      line.coverage?.samplesSeen ?? null,
      line.coverage?.samplesExpected ?? null,
      line.definition ?? null,
      metadataText(line.metadata),
    );
}

function lineKeys(database: SqliteDatabase, day: DayNumber): Map<string, number> {
  const query = database.build.selectFrom('line_keys').select(['line_id', 'line_key']).where('day', '=', day);
  return new Map(database.all(query).map(({ line_id, line_key }) => [line_id, line_key]));
}

/** Forgets the keys of lines that are neither billed nor calculated any more. */
export function deleteUnusedKeys(database: SqliteDatabase, day: DayNumber): void {
  database
    .statement(
      `delete from line_keys where day = ?
         and not exists (select 1 from billing_lines as billed where billed.line_key = line_keys.line_key)
         and not exists (select 1 from calculated_lines as done where done.line_key = line_keys.line_key)`,
    )
    .run(day);
}

export function lineResources(database: SqliteDatabase, day: DayNumber): string[] {
  const query = database.build
    .selectFrom('billing_lines')
    .select('resource_id')
    .distinct()
    .where('day', '=', day)
    .where('resource_id', 'is not', null);
  return database.all(query).flatMap(({ resource_id }) => resource_id ?? []);
}

/** The stored bill of a day, sorted by line id. */
export function loadLines(database: SqliteDatabase, day: DayNumber): BilledLine[] {
  const query = database.build
    .selectFrom('billing_lines')
    .innerJoin('line_keys', 'line_keys.line_key', 'billing_lines.line_key')
    .selectAll('billing_lines')
    .select(['line_id', sql<string>`cast(total_units as text)`.as('total')])
    .where('billing_lines.day', '=', day);
  const lines = database.all(query).map((row) => ({
    lineKey: row.line_key,
    line: {
      lineId: row.line_id,
      timestamp: instantOf(row.timestamp),
      granularity: row.granularity,
      resourceId: row.resource_id,
      environmentId: row.environment_id,
      productCategory: row.product_category,
      productType: row.product_type,
      quantity: new Decimal(row.quantity),
      unitPrice: new Decimal(row.unit_price),
      totalCost: { units: BigInt(row.total), currency: row.currency },
      coverage: coverageOf(row.samples_seen, row.samples_expected),
      ...(row.definition === null ? {} : { definition: row.definition }),
      metadata: metadataOf(row.metadata),
    },
  }));
  return lines.toSorted((left, right) => compareKeys(left.line.lineId, right.line.lineId));
}
