import { applyFault, type FaultEffect, type PlannedFault } from '../simulator/faults.ts';
import { bytesAnswer, type SimulatorAnswer } from '../simulator/simulator-request.ts';
import { type ConfluentRequest, linkTo, tokenOf } from './api-answer.ts';

/** What goes wrong. */
export type ConfluentFaultEffect =
  | Extract<
      FaultEffect,
      { kind: 'status' | 'delay' | 'html' | 'truncated' | 'reset' | 'values' | 'warnings' }
    >
  /** The link to the next page leads to the page that it is on. */
  | { readonly kind: 'repeated_page' }
  /** The link to the next page leads to another server. */
  | { readonly kind: 'foreign_link'; readonly origin: string }
  /**
   * The items of a listing are others: `change` gets the JSON text of one and says what stands in its place; no
   * text leaves it out, several add to it. What it says need not be JSON.
   */
  | { readonly kind: 'items'; readonly change: (json: string, index: number) => string | readonly string[] };

export interface ConfluentFault extends PlannedFault<ConfluentRequest, ConfluentFaultEffect> {}

/** Every fault that matches a request acts on it, in this order. */
export type ConfluentFaultPlan = readonly ConfluentFault[];

/** Requests to one of these interfaces. */
export function to(
  ...endpoints: readonly ConfluentRequest['endpoint'][]
): (request: ConfluentRequest) => boolean {
  return ({ endpoint }) => endpoints.includes(endpoint);
}

/** The answer as the fault leaves it; null when the connection is reset. */
export function applyConfluentFault(
  answer: SimulatorAnswer,
  effect: ConfluentFaultEffect,
  request: ConfluentRequest,
): SimulatorAnswer | null {
  switch (effect.kind) {
    case 'repeated_page':
      return relinked(answer, linkTo(request, request.query['page_token'] ?? tokenOf(0)));
    case 'foreign_link': {
      const { origin } = effect;
      return relinked(answer, linkTo({ ...request, origin }, tokenOf(1)));
    }
    case 'items':
      return answer;
    case 'status':
      return applyFault(answer, { body: refusalBody(effect.status), ...effect });
    default:
      return applyFault(answer, effect);
  }
}

/** The items of a page after every fault that changes items. `from` counts the items before it. */
export function changedItems(
  items: readonly string[],
  effects: readonly ConfluentFaultEffect[],
): readonly string[] {
  return effects.reduce<readonly string[]>(
    (current, effect) =>
      effect.kind === 'items' ? current.flatMap((json, index) => effect.change(json, index)) : current,
    items,
  );
}

const PLACEHOLDER = 'fault-stands-here';

/**
 * The JSON text of an object with another value for a field: `value` is the text of the value, such as `1e15`
 * or `NaN`; undefined leaves the field out.
 */
export function withField(json: string, field: string, value: string | undefined): string {
  const fields = new Map(Object.entries(JSON.parse(json, keepSource) as Record<string, unknown>));
  if (value === undefined) fields.delete(field);
  else fields.set(field, PLACEHOLDER);
  const text = JSON.stringify(Object.fromEntries(fields));
  return value === undefined ? text : text.replace(`"${PLACEHOLDER}"`, () => value);
}

/** Numbers that were not changed stay as they were written. The type library does not know `rawJSON` yet. */
function keepSource(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(context.source);
}

function relinked(answer: SimulatorAnswer, next: string): SimulatorAnswer {
  const text = new TextDecoder().decode(answer.body);
  const linked = text.replace(/"next":"[^"]*"/, () => `"next":${JSON.stringify(next)}`);
  return bytesAnswer(answer.status, new TextEncoder().encode(linked));
}

function refusalBody(status: number): string {
  const detail = `simulated status ${status}`;
  return JSON.stringify({ errors: [{ status: String(status), code: 'simulated', detail }] });
}
