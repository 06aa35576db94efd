import { ChargebackError, type Logger } from '@chargeback/plugin-api';
import { proofOf } from './day-query.ts';
import type { PrometheusClient } from './prometheus-client.ts';

/** Whether a server adds a day's instants up as this program does, asked once for each step. */
export interface SubquerySupport {
  /** `midnight`: unix seconds, any. Only an abort throws. */
  addsUp(stepSeconds: number, midnight: number, signal: AbortSignal): Promise<boolean>;
}

export function createSubquerySupport(client: PrometheusClient, logger: Logger): SubquerySupport {
  const known = new Map<number, Promise<boolean>>();
  const ask = async (stepSeconds: number, midnight: number, signal: AbortSignal): Promise<boolean> => {
    const reason = await differenceOf(client, { stepSeconds, midnight, signal });
    if (reason === null) return true;
    logger.warn({ reason }, 'the metrics server does not add days up, so every sample is fetched');
    return false;
  };
  return {
    addsUp(stepSeconds, midnight, signal) {
      let answer = known.get(stepSeconds);
      if (!answer) {
        answer = ask(stepSeconds, midnight, signal);
        known.set(stepSeconds, answer);
        // Who aborted has learnt nothing.
        answer.catch(() => known.delete(stepSeconds));
      }
      return answer;
    },
  };
}

/** Why the server is not asked to add up; null when it does so as it should. */
async function differenceOf(
  client: PrometheusClient,
  { stepSeconds, midnight, signal }: { stepSeconds: number; midnight: number; signal: AbortSignal },
): Promise<string | null> {
  const at = new Date(midnight * 1000);
  try {
    const { expression, sum } = proofOf(stepSeconds, midnight);
    const { series } = await client.queryRange({ expression, start: at, end: at, stepSeconds }, signal);
    const value = series[0]?.values[0];
    if (series.length === 1 && value === sum) return null;
    return `${expression} is ${value}, not ${sum}`;
  } catch (cause) {
    signal.throwIfAborted();
    if (!ChargebackError.isInstance(cause)) throw cause;
    return cause.message;
  }
}
