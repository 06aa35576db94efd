/** A request as the simulator, its fault plans and its tests see it. */
export interface SimulatorRequest {
  /** 1 for the first request since the start. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly query: string | null;
  /** As sent: seconds or RFC 3339. */
  readonly start: string | null;
  readonly end: string | null;
  readonly step: string | null;
  readonly time: string | null;
}

/** A request that was answered. */
export interface RecordedRequest extends SimulatorRequest {
  /** 0 when the connection was reset instead. */
  readonly status: number;
  /** Length of the answer's body. */
  readonly bytes: number;
}

export interface SimulatorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** What a transport hands over. */
export interface IncomingRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** The body's text; empty for none. */
  readonly body: string;
}

/** One request's fate: when, and what; a null answer is a reset connection. */
export interface SimulatorReaction {
  /** Milliseconds. */
  readonly delay: number;
  readonly answer: SimulatorAnswer | null;
}

/** Stands for an answer that a fault replaces anyway. */
export const NO_ANSWER: SimulatorAnswer = { status: 200, headers: {}, body: new Uint8Array(0) };

const encoder = new TextEncoder();

export function jsonAnswer(status: number, value: unknown): SimulatorAnswer {
  return bytesAnswer(status, encoder.encode(JSON.stringify(value)));
}

export function bytesAnswer(status: number, body: Uint8Array<ArrayBuffer>): SimulatorAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body };
}

export function textAnswer(
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): SimulatorAnswer {
  return { status, headers: { 'content-type': type }, body: encoder.encode(text) };
}
