import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { billOf, connect, days, GIB, linesOf, usageOf } from './support.ts';

const real = requireReal('steps against a real Prometheus that scrapes in between', process.env);

const FIRST = '2026-02-02';
const WINDOW = days(FIRST, 2);
const start = WINDOW.start.getTime() / 1000;
/** Scraped every 30 seconds, 17 seconds after the minute: no sample lies on the edge of any step. */
const SCRAPE = 30;
const OFFSET = 17;
const STEPS = [300, 900, 1800, 3600];

/** Bytes per second of a user: a wave over the day with a burst at 09:00 that lasts seven minutes. */
function rate(user: number, second: number): number {
  const time = (second - start) / 86_400;
  const burst = second >= start + 32_400 && second < start + 32_820 ? 6_000_000 : 0;
  return Math.round(1_000_000 * (user + 2 + Math.sin(time * 2 * Math.PI + user)) + burst);
}

function* openMetrics(): Iterable<string> {
  const users = [0, 1];
  const first = start - 3600 + OFFSET;
  for (const broker of ['1', '2']) {
    let total = 0;
    for (let second = first; second <= start + 2 * 86_400 + 600; second += SCRAPE) {
      for (const user of users) total += rate(user, second) * SCRAPE;
      const labels = `topic="orders",instance="${broker}"`;
      yield `kafka_server_brokertopicmetrics_bytesin_total{${labels}} ${total} ${second}\n`;
    }
    for (const user of users) {
      for (let second = first; second <= start + 2 * 86_400 + 600; second += SCRAPE) {
        const labels = `resource="Produce",user="user-${user}",instance="${broker}"`;
        yield `kafka_server_quota_byte_rate{${labels}} ${rate(user, second)} ${second}\n`;
      }
    }
  }
  yield '# EOF\n';
}

/** Independent of the product: what was sent between two midnights, scrape by scrape, from both brokers. */
function sent(day: number, users: readonly number[]): number {
  let bytes = 0;
  for (let second = start + day * 86_400 + OFFSET; second <= start + (day + 1) * 86_400; second += SCRAPE) {
    for (const user of users) bytes += rate(user, second) * SCRAPE * 2;
  }
  return bytes;
}

// Prometheus extrapolates the increase of a step to its edges from the samples inside: it assumes for up to one
// scrape interval what it saw in the others. Over a day that is far below a thousandth of this traffic. Read every
// minute, a rate stands for two scrapes; a burst of seven minutes is then known to one minute of seven.
const EXTRAPOLATION = 0.001;
const INTEGRATION = 0.005;

describe.skipIf(!real)('steps of 300, 900, 1800 and 3600 s, where no scrape lies on the edge of one', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  beforeAll(async () => {
    prometheus = await startRealPrometheus({ openMetrics: [...openMetrics()].join('') });
  });
  afterAll(async () => prometheus?.stop());

  const kafkaWith = (metrics_step_seconds: number) =>
    connect({
      broker_count: 2,
      metrics: { url: prometheus.url },
      metric_preset: 'jmx_exporter',
      metrics_step_seconds,
    });

  it('give the same traffic, that which was sent, within what Prometheus extrapolates', async () => {
    for (const step of STEPS) {
      await using kafka = await kafkaWith(step);
      const lines = linesOf(await billOf(kafka, WINDOW), 'NETWORK_INGRESS');
      for (const [day, { quantity, coverage }] of lines.entries()) {
        expect(coverage).toEqual({ samplesSeen: 86_400 / step, samplesExpected: 86_400 / step });
        const ratio = (quantity.toNumber() * GIB) / sent(day, [0, 1]);
        expect(Math.abs(ratio - 1), `${step} s, day ${day}: ${ratio}`).toBeLessThan(EXTRAPOLATION);
      }
    }
  });

  it('give each principal the same bytes from quota metrics, the burst included', async () => {
    for (const step of STEPS) {
      await using kafka = await kafkaWith(step);
      const usage = (await usageOf(kafka, WINDOW)).get('bytes_in_per_principal')!;
      const { identityIds, values } = usage.get(FIRST)!.totals;
      expect(identityIds).toEqual(['user-0', 'user-1']);
      for (const [user, value] of values.entries()) {
        const ratio = value / sent(0, [user]);
        expect(Math.abs(ratio - 1), `${step} s, user ${user}: ${ratio}`).toBeLessThan(INTEGRATION);
      }
    }
  });
});
