import { compareKeys, Decimal } from '@chargeback/money';
import { type BillingLineItem, ChargebackError } from '@chargeback/plugin-api';
import { type Kysely, type Selectable, sql } from 'kysely';
import { coverageOf, type DayNumber, instantOf, isoDateOfDay, metadataOf, metadataText } from '../convert.ts';
import type { BillingLineTable, StorageSchema } from '../schema.ts';
import { queryOfDay } from './query-of-day.ts';

/** What the rows of a line say of it. */
export type LineOfRows = Pick<
  BillingLineItem,
  'lineId' | 'timestamp' | 'resourceId' | 'environmentId' | 'productCategory' | 'productType' | 'totalCost'
>;

/** What storing the rows of a line needs to know of the stored bill. */
export interface BilledLine {
  readonly lineKey: number;
  readonly line: LineOfRows;
}

/** Columns of `billing_lines`, in the order of {@link lineValues}. */
export const LINE_COLUMNS = [
  'line_key',
  'day',
  'timestamp',
  'granularity',
  'resource_id',
  'environment_id',
  'product_category',
  'product_type',
  'quantity',
  'unit_price',
  'total_units',
  'currency',
  'samples_seen',
  'samples_expected',
  'definition',
  'metadata',
] as const;

export function lineValues(
  day: DayNumber,
  { lineKey, line }: { readonly lineKey: number; readonly line: BillingLineItem },
) {
  return [
    lineKey,
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
  ];
}

/** @throws {ChargebackError} `CB_LINE_INVALID` when two lines have one id. */
export function assertDistinctLines(day: DayNumber, lines: readonly BillingLineItem[]): void {
  const seen = new Set<string>();
  for (const { lineId } of lines) {
    if (seen.has(lineId)) {
      const message = `${isoDateOfDay(day)}: two lines are called ${lineId}`;
      throw new ChargebackError('CB_LINE_INVALID', message, { path: lineId });
    }
    seen.add(lineId);
  }
}

export const lineKeysQuery = queryOfDay((build, day) =>
  build.selectFrom('line_keys').select(['line_id', 'line_key']).where('day', '=', day),
);

/** Forgets the keys of lines that are neither billed nor calculated any more. */
export const deleteUnusedKeysQuery = queryOfDay((build, day) =>
  build
    .deleteFrom('line_keys')
    .where('day', '=', day)
    .where(
      sql<boolean>`not exists (select 1 from billing_lines as billed where billed.line_key = line_keys.line_key)`,
    )
    .where(
      sql<boolean>`not exists (select 1 from calculated_lines as done where done.line_key = line_keys.line_key)`,
    ),
);

export const lineResourcesQuery = queryOfDay((build, day) =>
  build
    .selectFrom('billing_lines')
    .select('resource_id')
    .distinct()
    .where('day', '=', day)
    .where('resource_id', 'is not', null),
);

/** Of each line. Amounts are read as text. */
const ROWS_COLUMNS = [
  'billing_lines.timestamp',
  'billing_lines.resource_id',
  'billing_lines.environment_id',
  'billing_lines.product_category',
  'billing_lines.product_type',
  'billing_lines.currency',
] as const;

const OTHER_COLUMNS = [
  'billing_lines.granularity',
  'billing_lines.quantity',
  'billing_lines.unit_price',
  'billing_lines.samples_seen',
  'billing_lines.samples_expected',
  'billing_lines.definition',
  'billing_lines.metadata',
] as const;

function selectRows(build: Kysely<StorageSchema>, day: DayNumber) {
  return build
    .selectFrom('billing_lines')
    .innerJoin('line_keys', 'line_keys.line_key', 'billing_lines.line_key')
    .select(ROWS_COLUMNS)
    .select(['billing_lines.line_key', 'line_id', sql<string>`cast(total_units as text)`.as('total')])
    .where('billing_lines.day', '=', day);
}

/** The lines of a day as their rows need them: neither quantities, which cost more to read than all else, nor metadata. */
export const billedLinesQuery = queryOfDay(selectRows);

export const linesQuery = queryOfDay((build, day) => selectRows(build, day).select(OTHER_COLUMNS));

type ReadRow = Omit<Selectable<BillingLineTable>, 'total_units' | 'day'> & {
  readonly line_id: string;
  readonly total: string;
};
type BilledRow = Omit<
  ReadRow,
  'granularity' | 'quantity' | 'unit_price' | 'samples_seen' | 'samples_expected' | 'definition' | 'metadata'
>;

function lineOfRows(row: BilledRow): LineOfRows {
  return {
    lineId: row.line_id,
    timestamp: instantOf(row.timestamp),
    resourceId: row.resource_id,
    environmentId: row.environment_id,
    productCategory: row.product_category,
    productType: row.product_type,
    totalCost: { units: BigInt(row.total), currency: row.currency },
  };
}

/** By line id. */
export function billedLinesOf(rows: readonly BilledRow[]): Map<string, BilledLine> {
  return new Map(rows.map((row) => [row.line_id, { lineKey: row.line_key, line: lineOfRows(row) }]));
}

/** Sorted by line id. */
export function linesOf(rows: readonly ReadRow[]): BillingLineItem[] {
  const lines = rows.map((row) => ({
    ...lineOfRows(row),
    granularity: row.granularity,
    quantity: new Decimal(row.quantity),
    unitPrice: new Decimal(row.unit_price),
    coverage: coverageOf(row.samples_seen, row.samples_expected),
    ...(row.definition === null ? {} : { definition: row.definition }),
    metadata: metadataOf(row.metadata),
  }));
  return lines.toSorted((left, right) => compareKeys(left.lineId, right.lineId));
}
