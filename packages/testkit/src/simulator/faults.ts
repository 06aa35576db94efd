import { jsonAnswer, type SimulatorAnswer, type SimulatorRequest, textAnswer } from './simulator-request.ts';

/** What goes wrong. */
export type FaultEffect =
  /** An answer with this status. `retryAfter`: seconds, or a date that is sent as an HTTP date. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly retryAfter?: number | Date;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Status 200 (or `status`) with `status: error` in the body. */
  | { readonly kind: 'error'; readonly errorType: string; readonly error: string; readonly status?: number }
  /** The answer comes later; goes together with another fault. */
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** The page of a proxy instead of JSON, with status 200 unless given. */
  | { readonly kind: 'html'; readonly status?: number }
  /** The first half of the JSON. */
  | { readonly kind: 'truncated' }
  /** The connection breaks without an answer. */
  | { readonly kind: 'reset' }
  /** Every `every`-th sample value (default: each) becomes this one. */
  | { readonly kind: 'values'; readonly value: 'NaN' | '+Inf' | '-Inf'; readonly every?: number }
  /** A true answer with warnings that it is not whole. */
  | { readonly kind: 'warnings'; readonly warnings: readonly string[] };

/** A fault of a kind of simulator. */
export interface PlannedFault<Request, Effect> {
  /** Which requests it hits; default: all. */
  readonly when?: (request: Request) => boolean;
  /** How many of them it leaves alone first; default: none. */
  readonly after?: number;
  /** How many of them it hits, after which it is healed; default: without end. */
  readonly times?: number;
  readonly effect: Effect;
}

export interface Fault extends PlannedFault<SimulatorRequest, FaultEffect> {}

/** Every fault that matches a request acts on it, in this order. */
export type FaultPlan = readonly Fault[];

/** Decides what hits a request. Keeps count of the faults that begin later and of those that heal. */
export interface FaultInjector<Request, Effect> {
  effectsFor(request: Request): Effect[];
}

export function createFaultInjector<Request, Effect>(
  plan: readonly PlannedFault<Request, Effect>[],
): FaultInjector<Request, Effect> {
  const seen = plan.map(() => 0);
  return {
    effectsFor(request) {
      const effects: Effect[] = [];
      for (const [index, { when, after = 0, times = Infinity, effect }] of plan.entries()) {
        if (when?.(request) === false) continue;
        seen[index]! += 1;
        if (seen[index]! > after && seen[index]! <= after + times) effects.push(effect);
      }
      return effects;
    },
  };
}

/** The answer as the fault leaves it; null when the connection is reset. */
export function applyFault(answer: SimulatorAnswer, effect: FaultEffect): SimulatorAnswer | null {
  switch (effect.kind) {
    case 'status':
      return failed(effect);
    case 'error': {
      const { errorType, error, status = 200 } = effect;
      return jsonAnswer(status, { status: 'error', errorType, error });
    }
    case 'html':
      return textAnswer(effect.status ?? 200, HTML, 'text/html; charset=utf-8');
    case 'truncated':
      return { ...answer, body: answer.body.slice(0, answer.body.length >> 1) };
    case 'reset':
      return null;
    case 'values':
      return rewritten(answer, (text) => spoil(text, effect.value, effect.every ?? 1));
    case 'warnings': {
      const warnings = JSON.stringify(effect.warnings);
      return rewritten(answer, (text) => text.replace(/\}$/, `,"warnings":${warnings}}`));
    }
    case 'delay':
      return answer;
  }
}

/** Whether nobody gets to see what the simulator would have answered. */
export function replacesAnswer(effects: readonly { readonly kind: string }[]): boolean {
  return effects.some(({ kind }) => REPLACING.has(kind));
}

const REPLACING = new Set(['reset', 'status', 'html', 'error']);

/** Milliseconds. */
export function delayOf(
  effects: readonly { readonly kind: string; readonly milliseconds?: number }[],
): number {
  return effects.reduce((sum, { kind, milliseconds = 0 }) => sum + (kind === 'delay' ? milliseconds : 0), 0);
}

const HTML = '<!doctype html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\n';

function failed(effect: Extract<FaultEffect, { kind: 'status' }>): SimulatorAnswer {
  const { status, retryAfter, headers, body } = effect;
  const answer = textAnswer(status, body ?? `simulated status ${status}\n`);
  const wait = typeof retryAfter === 'object' ? retryAfter.toUTCString() : retryAfter;
  return {
    ...answer,
    headers: {
      ...answer.headers,
      ...headers,
      ...(wait === undefined ? {} : { 'retry-after': String(wait) }),
    },
  };
}

function spoil(text: string, value: string, every: number): string {
  let seen = 0;
  return text.replaceAll(/(\[\d+(?:\.\d+)?,)"[^"]*"\]/g, (sample, stamp: string) => {
    seen += 1;
    return seen % every === 0 ? `${stamp}"${value}"]` : sample;
  });
}

function rewritten(answer: SimulatorAnswer, rewrite: (text: string) => string): SimulatorAnswer {
  const text = rewrite(new TextDecoder().decode(answer.body));
  return { ...answer, body: new TextEncoder().encode(text) };
}
