import { Decimal } from '@chargeback/money';

/**
 * Copies by their original: an identity is in the sets of many lines, and is copied once. A copy lives as long as
 * its original.
 */
const copies = new WeakMap<object, object>();

/**
 * A deep copy that cannot be changed, to hand to code of others: objects, arrays and decimals are frozen, maps and
 * dates throw when they are written to. Whoever tries gets a TypeError, and nobody else sees a change.
 */
export function readOnly<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value;
  const known = copies.get(value);
  if (known) return known as Value;
  const copy = copyOf(value);
  copies.set(value, copy);
  return copy as Value;
}

function copyOf(value: object): object {
  if (value instanceof Date) return new ReadOnlyDate(value);
  if (value instanceof Map) return ReadOnlyMap.of(value);
  if (Decimal.isDecimal(value)) return frozenDecimal(value as Decimal);
  if (Array.isArray(value)) return Object.freeze(value.map(readOnly));
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, readOnly(inner)])),
  );
}

function frozenDecimal(value: Decimal): Decimal {
  const copy = new Decimal(value);
  if (copy.d) Object.freeze(copy.d);
  return Object.freeze(copy);
}

function refuse(what: string): never {
  throw new TypeError(`${what} of the context cannot be changed: copy it first`);
}

class ReadOnlyMap<Key, Value> extends Map<Key, Value> {
  static of<Key, Value>(original: ReadonlyMap<Key, Value>): ReadOnlyMap<Key, Value> {
    const copy = new ReadOnlyMap<Key, Value>();
    for (const [key, value] of original) Map.prototype.set.call(copy, key, readOnly(value));
    return Object.freeze(copy);
  }

  override set(): this {
    return refuse('a map');
  }

  override delete(): boolean {
    return refuse('a map');
  }

  override clear(): void {
    refuse('a map');
  }
}

class ReadOnlyDate extends Date {}

for (const name of Object.getOwnPropertyNames(Date.prototype)) {
  if (!name.startsWith('set')) continue;
  Object.defineProperty(ReadOnlyDate.prototype, name, { value: () => refuse('a date') });
}
