import { parseDuration } from './durations.ts';
import type { QueryEngine } from './query-engine.ts';
import { QueryError } from './query-error.ts';
import type { Grid } from './query-plan.ts';
import {
  bytesAnswer,
  jsonAnswer,
  type SimulatorAnswer,
  type SimulatorRequest,
  textAnswer,
} from './simulator-request.ts';

/** The most points of a series that a Prometheus server returns. */
const MAX_POINTS = 11_000;

export interface PrometheusApiOptions {
  readonly engine: QueryEngine;
  /** What stands before `/api/v1`, such as `/prometheus`; empty for nothing. */
  readonly pathPrefix: string;
  /** The instant of a query that names none, in milliseconds. */
  readonly defaultTime: number;
}

/** Answers one request as the HTTP API of a Prometheus server would, its refusals included. */
export function answerRequest(request: SimulatorRequest, options: PrometheusApiOptions): SimulatorAnswer {
  const { engine, pathPrefix, defaultTime } = options;
  if (!request.path.startsWith(`${pathPrefix}/`)) return notFound();
  try {
    switch (request.path.slice(pathPrefix.length)) {
      case '/api/v1/query_range':
        return refusedMethod(request) ?? bytesAnswer(200, engine.range(request.query ?? '', gridOf(request)));
      case '/api/v1/query': {
        const time = request.time === null ? defaultTime : timeParameter('time', request.time);
        return refusedMethod(request) ?? bytesAnswer(200, engine.instant(request.query ?? '', time));
      }
      case '/-/ready':
        return textAnswer(200, 'Prometheus Server is Ready.\n');
      case '/api/v1/status/buildinfo':
        return jsonAnswer(200, { status: 'success', data: { version: '3.5.0', revision: 'simulator' } });
      default:
        return notFound();
    }
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    return jsonAnswer(400, { status: 'error', errorType: 'bad_data', error: error.message });
  }
}

function notFound(): SimulatorAnswer {
  return textAnswer(404, '404 page not found\n');
}

function refusedMethod({ method }: SimulatorRequest): SimulatorAnswer | null {
  return method === 'GET' || method === 'POST' ? null : textAnswer(405, 'Method Not Allowed\n');
}

function gridOf(request: SimulatorRequest): Grid {
  const start = timeParameter('start', request.start);
  const end = timeParameter('end', request.end);
  if (end < start)
    throw new QueryError('invalid parameter "end": end timestamp must not be before start time');
  const step = parseDuration(request.step ?? '');
  if (step === null) {
    throw new QueryError(
      `invalid parameter "step": cannot parse ${JSON.stringify(request.step ?? '')} to a valid duration`,
    );
  }
  if (step <= 0) {
    throw new QueryError(
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  }
  if ((end - start) / step > MAX_POINTS) {
    throw new QueryError(
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  }
  return { start, step, count: Math.floor((end - start) / step) + 1 };
}

/** Unix seconds or RFC 3339, as milliseconds. */
function timeParameter(name: string, text: string | null): number {
  const given = text ?? '';
  const milliseconds = /^-?\d+(\.\d+)?([eE]\+?\d+)?$/.test(given)
    ? Math.round(Number(given) * 1000)
    : /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(given)
      ? Date.parse(given)
      : Number.NaN;
  if (Number.isFinite(milliseconds)) return milliseconds;
  const reason = `cannot parse ${JSON.stringify(given)} to a valid timestamp`;
  throw new QueryError(`invalid parameter "${name}": ${reason}`);
}
