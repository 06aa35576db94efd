import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientFor, never, serve, type TestServer } from './support.ts';

const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map(String),
  fc.bigInt({ min: 0n, max: 10n ** 25n }).map(String),
  fc.tuple(fc.nat(), fc.stringMatching(/^\d{1,20}$/)).map(([whole, decimals]) => `${whole}.${decimals}`),
  fc.constantFrom('NaN', '+Inf', '-Inf', '0', '-0', '1e+06', '1.7976931348623157e+308', '5e-324', ''),
);
const series = fc.record({
  metric: fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), {
    noNullPrototype: true,
  }),
  values: fc.array(
    fc.tuple(
      fc.oneof(
        fc.nat(),
        fc.nat().map((time) => time + 0.125),
      ),
      value,
    ),
    { maxLength: 8 },
  ),
});

describe('reading a matrix', () => {
  let server: TestServer;
  let text = '';
  beforeAll(async () => {
    server = await serve(() => ({ text }));
  });
  afterAll(() => server.stop());

  const range = { expression: 'x', start: new Date(0), end: new Date(0), stepSeconds: 1 };

  it('gives the numbers and labels that a JSON parser gives, however the text is spaced', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(series, { maxLength: 5 }),
        fc.constantFrom(undefined, 1),
        async (result, spaces) => {
          text = JSON.stringify(
            { status: 'success', data: { resultType: 'matrix', result } },
            undefined,
            spaces,
          );
          const answer = await clientFor(server.url).client.queryRange(range, never());
          const parsed = JSON.parse(text) as {
            data: { result: { metric: object; values: [number, string][] }[] };
          };
          expect(
            answer.series.map(({ labels, times, values }) => ({
              labels,
              times: [...times],
              values: [...values],
            })),
          ).toEqual(
            parsed.data.result.map(({ metric, values }) => ({
              labels: metric,
              times: values.map(([time]) => time),
              values: values.map(([, sample]) => numberOf(sample)),
            })),
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** What has no number's text is not a zero. */
function numberOf(sample: string): number {
  return sample === '' ? Number.NaN : Number(sample);
}
