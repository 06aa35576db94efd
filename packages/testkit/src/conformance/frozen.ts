import assert from 'node:assert/strict';
import { Decimal } from '@chargeback/money';

/** Text of everything in a value, so that a change shows: maps, dates, decimals and big integers included. */
export function snapshot(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return `${inner}n`;
    if (inner instanceof Map) return { map: [...inner] };
    return typeof inner === 'function' ? 'function' : inner;
  });
}

/** Calls with inputs that are frozen as deep as JavaScript freezes, and looks whether the rest changed. */
export function withoutMutation<Input extends object, Output>(
  input: Input,
  call: (input: Input) => Output,
): Output {
  freeze(input);
  const before = snapshot(input);
  const output = call(input);
  assert.equal(snapshot(input), before, 'it changed its input');
  return output;
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  if (value instanceof Date || Decimal.isDecimal(value)) return;
  if (value instanceof Map) {
    for (const inner of value.values()) freeze(inner);
    return;
  }
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
}
