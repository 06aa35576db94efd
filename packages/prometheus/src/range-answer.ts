import { ChargebackError } from '@chargeback/plugin-api';
import { type RangeSeries, scanMatrix } from './scan-matrix.ts';

export interface RangeAnswer {
  readonly series: readonly RangeSeries[];
  /** What the server said about its own answer, such as that a part of it is missing. */
  readonly warnings: readonly string[];
}

interface Envelope {
  readonly status?: unknown;
  readonly errorType?: unknown;
  readonly error?: unknown;
  readonly warnings?: unknown;
  readonly data?: { readonly resultType?: unknown; readonly result?: unknown };
}

/**
 * Reads the body of a successful answer.
 * @throws {ChargebackError} `CB_METRICS_ANSWER` when it is not of the Prometheus HTTP API, `CB_METRICS_QUERY`
 *   when it carries an error or a result that is not made of series.
 */
export function parseAnswer(body: Buffer, about: string): RangeAnswer {
  return scanMatrix(body) ?? parseJson(body.toString('utf8'), about);
}

function parseJson(text: string, about: string): RangeAnswer {
  const envelope = parseEnvelope(text, about);
  if (envelope.status === 'error') throw queryError(envelope, about);
  const { resultType, result } = envelope.data ?? {};
  if (envelope.status !== 'success' || resultType === undefined) {
    throw new ChargebackError('CB_METRICS_ANSWER', `${about}: the answer has no data`);
  }
  if (resultType !== 'matrix' && resultType !== 'vector') {
    throw new ChargebackError('CB_METRICS_QUERY', `${about}: the query returns a ${String(resultType)}`, {
      fix: 'Write a query that returns series, such as sum(increase(metric[1h])).',
    });
  }
  if (!Array.isArray(result))
    throw new ChargebackError('CB_METRICS_ANSWER', `${about}: the result is not a list`);
  const warnings = Array.isArray(envelope.warnings) ? envelope.warnings.map(String) : [];
  return { series: result.map((entry: unknown) => toSeries(entry, about)), warnings };
}

/** The message of an error body, if it has one. */
export function errorMessage(text: string): string | undefined {
  try {
    const { errorType, error } = JSON.parse(text) as Envelope;
    return typeof error === 'string' ? `${String(errorType)}: ${error}` : undefined;
  } catch {
    return undefined;
  }
}

function parseEnvelope(text: string, about: string): Envelope {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const html = /^\s*</.test(text);
    const what = html ? 'the answer is HTML, not JSON' : `the answer is not JSON (${text.length} characters)`;
    throw new ChargebackError('CB_METRICS_ANSWER', `${about}: ${what}`, html ? {} : { cause });
  }
  if (typeof value !== 'object' || value === null) {
    throw new ChargebackError('CB_METRICS_ANSWER', `${about}: the answer is not an object`);
  }
  return value;
}

function queryError(envelope: Envelope, about: string): ChargebackError {
  return new ChargebackError(
    'CB_METRICS_QUERY',
    `${about}: ${String(envelope.errorType)}: ${String(envelope.error)}`,
  );
}

function toSeries(entry: unknown, about: string): RangeSeries {
  const { metric, values, value } = (entry ?? {}) as { metric?: unknown; values?: unknown; value?: unknown };
  const samples = values ?? (value === undefined ? undefined : [value]);
  if (typeof metric !== 'object' || metric === null || !Array.isArray(samples)) {
    throw new ChargebackError(
      'CB_METRICS_ANSWER',
      `${about}: a series of the answer has no labels or no samples`,
    );
  }
  const pairs = samples as readonly (readonly [unknown, unknown])[];
  if (!pairs.every((pair) => Array.isArray(pair) && pair.length === 2)) {
    throw new ChargebackError(
      'CB_METRICS_ANSWER',
      `${about}: a sample of the answer is not a time and a value`,
    );
  }
  return {
    labels: metric as Record<string, string>,
    times: Float64Array.from(pairs, ([time]) => Number(time)),
    values: Float64Array.from(pairs, ([, text]) => numberOf(text)),
  };
}

/** What has no number's text is NaN, never 0. */
function numberOf(text: unknown): number {
  return typeof text === 'string' && text.trim() !== '' ? Number(text) : Number.NaN;
}
