import { jsonAnswer, type SimulatorAnswer, type SimulatorRequest, textAnswer } from './simulator-request.ts';

/** What goes wrong. */
export type FaultEffect =
  /** An answer with this status. `retryAfter`: seconds, or a date that is sent as an HTTP date. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly retryAfter?: number | Date;
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

export interface Fault {
  /** Which requests it hits; default: all. */
  readonly when?: (request: SimulatorRequest) => boolean;
  /** How many of them, after which it is healed; default: without end. */
  readonly times?: number;
  readonly effect: FaultEffect;
}

/** Every fault that matches a request acts on it, in this order. */
export type FaultPlan = readonly Fault[];

/** Decides what hits a request. Keeps count of the faults that heal. */
export interface FaultInjector {
  effectsFor(request: SimulatorRequest): FaultEffect[];
}

export function createFaultInjector(plan: FaultPlan): FaultInjector {
  const left = plan.map(({ times }) => times ?? Infinity);
  return {
    effectsFor(request) {
      const effects: FaultEffect[] = [];
      for (const [index, { when, effect }] of plan.entries()) {
        if (left[index]! <= 0 || when?.(request) === false) continue;
        left[index]! -= 1;
        effects.push(effect);
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

const HTML = '<!doctype html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\n';

function failed({ status, retryAfter, body }: Extract<FaultEffect, { kind: 'status' }>): SimulatorAnswer {
  const answer = textAnswer(status, body ?? `simulated status ${status}\n`);
  if (retryAfter === undefined) return answer;
  const value = typeof retryAfter === 'number' ? String(retryAfter) : retryAfter.toUTCString();
  return { ...answer, headers: { ...answer.headers, 'retry-after': value } };
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
