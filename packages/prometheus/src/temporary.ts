import type { Coverage, Fetch, IsoDate, MetricsSource, Problem, UsageDay, Window } from '@chargeback/plugin-api';
import { daysOf } from '@chargeback/plugin-api';
import { z } from 'zod';
export const metricsConnectionSchema = z.strictObject({ type: z.string().default('prometheus'), url: z.string(), auth_type: z.enum(['none','basic','bearer']).default('none'), username: z.string().optional(), password: z.string().optional(), bearer_token: z.string().optional() });
export interface DailyTotal { date: IsoDate; value: number | null; coverage: Coverage; problems: Problem[] }
interface Series { labels: Record<string,string>; points: [number,string][] }
export interface PrometheusClient { range(q: string, start: number, end: number, step: number, signal: AbortSignal): Promise<Series[]> }
export function createPrometheusClient(c: z.output<typeof metricsConnectionSchema>, host: { fetch: Fetch }): PrometheusClient {
  return { async range(query, start, end, step, signal) {
    const r = await host.fetch(`${c.url}/api/v1/query_range`, { method: 'POST', signal, headers: {'content-type':'application/x-www-form-urlencoded'}, body: new URLSearchParams({ query, start: String(start), end: String(end), step: String(step) }).toString() });
    const j = await r.json() as any;
    if (j.status !== 'success') throw new Error(j.error);
    return j.data.result.map((x: any) => ({ labels: x.metric, points: x.values }));
  } };
}
interface Query { key: string; expression: (r: string) => string; stepSeconds: number; reduce: 'sum'|'mean'|'max' }
export async function* fetchDailyTotals(client: PrometheusClient, q: Query, o: { window: Window; signal: AbortSignal }): AsyncIterable<DailyTotal> {
  const s = o.window.start.getTime()/1000, e = o.window.end.getTime()/1000;
  const series = await client.range(q.expression(`${q.stepSeconds}s`), s+q.stepSeconds, e, q.stepSeconds, o.signal);
  const per = 86400/q.stepSeconds;
  for (const [i, date] of daysOf(o.window).entries()) {
    const at = new Map<number, number>();
    for (const x of series) for (const [t,v] of x.points) { const d = Math.ceil((t-s)/86400)-1; if (d===i) at.set(t,(at.get(t)??0)+Number(v)); }
    let sum=0; for (const v of at.values()) sum+=v;
    yield { date, value: at.size? (q.reduce==='mean'? sum/at.size: sum): null, coverage: { samplesSeen: at.size, samplesExpected: per }, problems: [] };
  }
}
export function createMetricsSource(client: PrometheusClient, _o: { concurrency: number }): MetricsSource {
  return { async *usage(queries, window, signal) {
    for (const q of queries) {
      const s = window.start.getTime()/1000, e = window.end.getTime()/1000;
      const series = await client.range(q.expression(`${q.stepSeconds}s`), s+q.stepSeconds, e, q.stepSeconds, signal);
      const per = 86400/q.stepSeconds;
      for (const [i, date] of daysOf(window).entries()) {
        const seen = new Set<number>(); const totals = new Map<string, number>();
        for (const x of series) for (const [t,v] of x.points) { const d = Math.ceil((t-s)/86400)-1; if (d!==i) continue; seen.add(t); const id=x.labels[q.identityLabel]!; totals.set(id, (totals.get(id)??0)+Number(v)); }
        const expected = q.expects === 'any_instant' ? 1 : per; const n = Math.min(seen.size, expected);
        const day: UsageDay = { date, queryKey: q.key, totals: { resourceIds: null, identityIds: [...totals.keys()], values: [...totals.values()] }, coverage: { samplesSeen: n, samplesExpected: expected }, outcome: n>=expected?'complete': n? 'partial':'failed', problems: [] };
        yield day;
      }
    }
  } };
}
