import { assertRatios, Decimal } from '@chargeback/money';
import {
  type AllocatorParams,
  ChargebackError,
  type CostAllocator,
  describeCause,
} from '@chargeback/plugin-api';
import { type ModelDescription, modelOf, type ModelPart } from './allocation-model.ts';

/** Plain decimal text; what `Decimal` reads beyond that (`Infinity`, hexadecimal) is not a ratio. */
const RATIO = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?\s*$/;

/**
 * Checks the ratios that `allocator_params` give to every composite inside an allocator: each between 0 and
 * 1, together 1 within 0.0001, defaults standing in for what is not given.
 * @returns one error, code `CB_CONFIG_VALUE`, per composite that does not fit; empty when all do, and for an
 *   allocator that is no model.
 */
export function checkCompositeParams(allocator: CostAllocator, params: AllocatorParams): ChargebackError[] {
  const model = modelOf(allocator);
  return model ? errorsOf(model, params) : [];
}

function errorsOf({ parts = [] }: ModelDescription, params: AllocatorParams): ChargebackError[] {
  const errors: ChargebackError[] = [];
  if (parts.some(({ ratio }) => ratio !== undefined)) {
    try {
      compositeRatios(parts, params);
    } catch (cause) {
      if (!ChargebackError.isInstance(cause)) throw cause;
      errors.push(cause);
    }
  }
  return [...errors, ...parts.flatMap(({ model }) => errorsOf(model, params))];
}

/**
 * The ratios of a composite, adding up to exactly 1: the last that is not zero takes the rest, as its money
 * does.
 * @throws {ChargebackError} `CB_CONFIG_VALUE`, naming every parameter and ratio involved.
 */
export function compositeRatios(parts: readonly ModelPart[], params: AllocatorParams): Decimal[] {
  const ratios = parts.map((part) => ratioOf(part, params));
  try {
    assertRatios(ratios);
  } catch (cause) {
    const involved = parts.map((part, index) => ratioLabel(part, ratios[index]!, params)).join(', ');
    throw new ChargebackError('CB_CONFIG_VALUE', `${describeCause(cause)}: ${involved}`, {
      fix: 'Give every ratio of the composite, so that together they are 1.',
      path: pathOf(parts.find(({ param }) => param !== undefined && params[param] !== undefined)),
      cause,
    });
  }
  return withExactRest(ratios);
}

function withExactRest(ratios: readonly Decimal[]): Decimal[] {
  const last = ratios.findLastIndex((ratio) => !ratio.isZero());
  let rest = new Decimal(1);
  return ratios.map((ratio, index) => {
    if (index === last) return rest;
    rest = rest.minus(ratio);
    return ratio;
  });
}

function ratioOf(part: ModelPart, params: AllocatorParams): Decimal {
  const given = part.param === undefined ? undefined : params[part.param];
  const text = String(given ?? part.ratio);
  if (RATIO.test(text)) return new Decimal(text.trim());
  throw new ChargebackError(
    'CB_CONFIG_VALUE',
    `${part.param ?? 'a ratio of a composite'} must be a number between 0 and 1, not ${JSON.stringify(text.slice(0, 40))}`,
    { path: pathOf(part), fix: 'Write the ratio as a decimal number, such as 0.70.' },
  );
}

function ratioLabel({ param }: ModelPart, ratio: Decimal, params: AllocatorParams): string {
  if (param === undefined) return `${ratio.toString()} (fixed)`;
  return `${param} ${ratio.toString()}${params[param] === undefined ? ' (default)' : ''}`;
}

function pathOf(part: ModelPart | undefined): string {
  return part?.param === undefined ? 'allocator_params' : `allocator_params.${part.param}`;
}
