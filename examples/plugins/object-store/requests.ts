import { daysOf, type MetricsSource, type UsageQuery } from '@chargeback/plugin-api';
import { isOf, readCsv } from './read-csv.ts';

/** What allocators ask for by its key. The store has no query language: the expression is the file's column. */
export const REQUESTS: UsageQuery = {
  key: 'requests',
  expression: () => 'requests',
  stepSeconds: 86_400,
  reduce: 'sum',
  identityLabel: 'principal',
  resourceLabel: 'bucket',
};

const COLUMNS = ['day', 'bucket', 'principal', 'requests'] as const;

/** Usage from a file. Each day was seen once of once expected: it is complete. */
export function requestsIn(text: string): MetricsSource {
  const rows = readCsv(text, COLUMNS);
  return {
    async *usage(queries, window) {
      for (const { key } of queries) {
        for (const date of daysOf(window)) {
          const ofDay = rows.filter((row) => isOf(date, row));
          yield {
            date,
            queryKey: key,
            totals: {
              resourceIds: ofDay.map(({ bucket }) => bucket),
              identityIds: ofDay.map(({ principal }) => principal),
              values: ofDay.map(({ requests }) => Number(requests)),
            },
            coverage: { samplesSeen: 1, samplesExpected: 1 },
            outcome: 'complete',
            problems: [],
          };
        }
      }
    },
  };
}
