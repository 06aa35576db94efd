import { constants } from 'node:buffer';
import { ChargebackError } from '@chargeback/plugin-api';
import { isLabels, type KnownLabels } from './known-labels.ts';
import { type RangeSeries, scanMatrix } from './scan-matrix.ts';

export interface RangeAnswer {
  readonly series: readonly RangeSeries[];
  /** What the server said about its own answer, such as that a part of it is missing. */
  readonly warnings: readonly string[];
}

/** What was asked for, to read the answer by and to speak of it. */
export interface Asked {
  /** Names server and query in messages; holds no secret. */
  readonly about: string;
  /** Words from outside, shortened and without secrets. */
  readonly quote: (text: string) => string;
  readonly resultType: 'matrix' | 'vector';
}

interface Envelope {
  readonly status?: unknown;
  readonly errorType?: unknown;
  readonly error?: unknown;
  readonly warnings?: unknown;
  /** VictoriaMetrics' cluster says so when a storage node did not answer. */
  readonly isPartial?: unknown;
  readonly data?: { readonly resultType?: unknown; readonly result?: unknown } | null;
}

/** Several versions send hints, as about a metric's name, among the warnings; the answer is whole all the same. */
const HINT = /^PromQL info\b/;
/** No error body that says something is longer. */
const LONGEST_ERROR_BODY = 1_048_576;

/**
 * Reads the body of a successful answer.
 * @throws {ChargebackError} `CB_METRICS_ANSWER` when it is not of the Prometheus HTTP API, `CB_METRICS_QUERY`
 *   when it carries an error or a result that is not made of series of numbers.
 */
export function parseAnswer(body: Buffer, asked: Asked, known: KnownLabels): RangeAnswer {
  return (asked.resultType === 'matrix' ? scanMatrix(body, known) : null) ?? parseJson(body, asked);
}

function parseJson(body: Buffer, asked: Asked): RangeAnswer {
  const { about, quote } = asked;
  if (body.length > constants.MAX_STRING_LENGTH) {
    throw new ChargebackError('CB_METRICS_TOO_LARGE', `${about}: ${body.length} bytes of JSON in one answer`);
  }
  const envelope = parseEnvelope(body.toString('utf8'), about);
  if (envelope.status === 'error') {
    throw new ChargebackError('CB_METRICS_QUERY', `${about}: ${quote(errorText(envelope))}`);
  }
  const { resultType, result } = envelope.data ?? {};
  if (envelope.status !== 'success' || resultType === undefined) {
    throw new ChargebackError('CB_METRICS_ANSWER', `${about}: the answer has no data`);
  }
  if (resultType !== asked.resultType) {
    const message = `${about}: the query returns a ${quote(String(resultType))}, not a ${asked.resultType}`;
    throw new ChargebackError('CB_METRICS_QUERY', message, {
      fix: 'Aggregate it into series, such as sum(increase(metric[1h])).',
    });
  }
  if (!Array.isArray(result))
    throw new ChargebackError('CB_METRICS_ANSWER', `${about}: the result is not a list`);
  const warnings = Array.isArray(envelope.warnings)
    ? envelope.warnings.map((text) => quote(String(text)))
    : [];
  if (envelope.isPartial === true) warnings.push('the server marks its answer as partial');
  return {
    series: result.map((entry: unknown) => toSeries(entry, about)),
    warnings: warnings.filter((text) => !HINT.test(text)),
  };
}

/** The message of an error body, if it has one. */
export function errorMessage(body: Buffer): string | undefined {
  if (body.length > LONGEST_ERROR_BODY) return undefined;
  try {
    const envelope = JSON.parse(body.toString('utf8')) as Envelope;
    return typeof envelope.error === 'string' ? errorText(envelope) : undefined;
  } catch {
    return undefined;
  }
}

function errorText({ errorType, error }: Envelope): string {
  return `${String(errorType)}: ${String(error)}`;
}

function parseEnvelope(text: string, about: string): Envelope {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const html = /^\s*</.test(text);
    const what = html ? 'the answer is HTML, not JSON' : `the answer is not JSON (${text.length} characters)`;
    // The parser's own message holds a piece of the answer.
    throw new ChargebackError('CB_METRICS_ANSWER', `${about}: ${what}`);
  }
  if (typeof value !== 'object' || value === null) {
    throw new ChargebackError('CB_METRICS_ANSWER', `${about}: the answer is not an object`);
  }
  return value;
}

function toSeries(entry: unknown, about: string): RangeSeries {
  const { metric, values, value, ...rest } = (entry ?? {}) as Record<string, unknown>;
  if ('histogram' in rest || 'histograms' in rest) {
    throw new ChargebackError(
      'CB_METRICS_QUERY',
      `${about}: the query returns native histograms, not numbers`,
      {
        fix: 'Take a number from them with histogram_sum() or histogram_count().',
      },
    );
  }
  const samples = values ?? (value === undefined ? undefined : [value]);
  if (!isLabels(metric) || !Array.isArray(samples)) {
    throw new ChargebackError(
      'CB_METRICS_ANSWER',
      `${about}: a series of the answer has no labels or no samples`,
    );
  }
  if (!samples.every(isSample)) {
    throw new ChargebackError(
      'CB_METRICS_ANSWER',
      `${about}: a sample of the answer is not a time and a value`,
    );
  }
  return {
    labels: metric,
    times: Float64Array.from(samples, ([time]) => time),
    values: Float64Array.from(samples, ([, text]) => numberOf(text)),
  };
}

function isSample(sample: unknown): sample is readonly [time: number, value: unknown] {
  return Array.isArray(sample) && sample.length === 2 && typeof sample[0] === 'number';
}

/** What has no number's text is NaN, never 0. */
function numberOf(text: unknown): number {
  return typeof text === 'string' && text.trim() !== '' ? Number(text) : Number.NaN;
}
