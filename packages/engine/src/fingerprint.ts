import { createHash, hash, type Hash } from 'node:crypto';
import type { BillingLineItem, IsoDate, Json } from '@chargeback/plugin-api';
import type { CalculatedLine } from '@chargeback/storage';

/** Text is hashed in pieces, not part by part: a call costs more than a short part. */
const PIECE_LENGTH = 65_536;

/** SHA-256 of values written as text, each with its length so that no two lists look alike. */
export function digestOf(parts: Iterable<string>): string {
  let long: Hash | undefined;
  let text = '';
  for (const part of parts) {
    // Each part begins with a digit: where pieces are joined no character is made of two.
    text += `${part.length}:${part}`;
    if (text.length > PIECE_LENGTH) {
      long ??= createHash('sha256');
      long.update(text);
      text = '';
    }
  }
  return long ? long.update(text).digest('hex') : hash('sha256', text);
}

/** JSON with sorted keys, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  if (isSorted(value)) return JSON.stringify(value);
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner as Record<string, Json>).toSorted(byKey));
  });
}

/** Most values are, and without a function that is called for each of their parts they are written much sooner. */
function isSorted(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isSorted);
  let before: string | undefined;
  for (const [key, inner] of Object.entries(value)) {
    if ((before !== undefined && before >= key) || !isSorted(inner)) return false;
    before = key;
  }
  return true;
}

function byKey([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * Identifies the rows of a day as emitters see them: the same rows have the same digest, however often and by
 * whatever tier they are calculated, and rows that differ in any column have another.
 */
export function resultDigest(
  date: IsoDate,
  bill: readonly BillingLineItem[],
  lines: readonly CalculatedLine[],
): string {
  const billed = new Map(bill.map((line) => [line.lineId, line]));
  return digestOf(resultParts(date, billed, lines));
}

function* resultParts(
  date: IsoDate,
  billed: ReadonlyMap<string, BillingLineItem>,
  lines: readonly CalculatedLine[],
): Iterable<string> {
  yield date;
  for (const { lineId, state, retainedUnits, portions } of lines) {
    const line = billed.get(lineId);
    yield JSON.stringify([
      lineId,
      state,
      String(retainedUnits),
      line?.timestamp,
      line?.resourceId,
      line?.environmentId,
      line?.productCategory,
      line?.productType,
      line?.totalCost.currency,
    ]);
    for (const { costType, method, detail, identityIds, units } of portions) {
      yield JSON.stringify([costType, method, detail]);
      yield JSON.stringify(identityIds);
      yield units.join(' ');
    }
  }
}
