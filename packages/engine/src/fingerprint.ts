import { createHash } from 'node:crypto';
import type { Inventory, IsoDate, Json } from '@chargeback/plugin-api';
import type { CalculatedLine } from '@chargeback/storage';

/** SHA-256 of values written as text, each with its length so that no two lists look alike. */
export function digestOf(parts: Iterable<string>): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return hash.digest('hex');
}

/** JSON with sorted keys, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner as Record<string, Json>).toSorted(byKey));
  });
}

function byKey([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Digest of everything in the inventory that can change who bears a cost. Display names cannot. */
export function inventoryDigest(inventory: Inventory): string {
  return digestOf(inventoryParts(inventory));
}

function* inventoryParts(inventory: Inventory): Iterable<string> {
  for (const resource of inventory.resources.values()) {
    const { resourceId, resourceType, parentId, ownerId, createdAt, deletedAt, metadata } = resource;
    yield canonicalJson([resourceId, resourceType, parentId, ownerId, createdAt, deletedAt, metadata]);
  }
  yield '--';
  for (const identity of inventory.identities.values()) {
    const { identityId, identityType, createdAt, deletedAt, metadata } = identity;
    yield canonicalJson([identityId, identityType, createdAt, deletedAt, metadata]);
  }
}

/** Identifies the rows of a day: the same rows have the same digest, however often they are calculated. */
export function resultDigest(date: IsoDate, lines: readonly CalculatedLine[]): string {
  return digestOf(resultParts(date, lines));
}

function* resultParts(date: IsoDate, lines: readonly CalculatedLine[]): Iterable<string> {
  yield date;
  for (const line of lines) {
    yield `${line.lineId} ${line.state} ${line.retainedUnits}`;
    for (const portion of line.portions) {
      yield JSON.stringify([
        portion.costType,
        portion.method,
        portion.detail,
        portion.chainTier,
        portion.compositionIndex,
      ]);
      yield portion.identityIds.join('\n');
      yield portion.units.join(' ');
    }
  }
}
