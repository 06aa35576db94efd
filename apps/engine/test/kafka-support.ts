import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import { chargeback, type CsvRow, filesIn, parseCsv, temporaryFolder, unitsOf } from './support.ts';

export const DAY = 86_400;
export const GIB = 2 ** 30;
export const SPACING = 300;
export const firstDay = (Math.floor(Date.now() / 1000 / DAY) - 3) * DAY;
export const SPECIFIED = {
  compute_hourly_rate: '0.50',
  storage_per_gib_hourly: '0.0001',
  network_ingress_per_gib: '0.01',
  network_egress_per_gib: '0.02',
};

export interface Run {
  readonly tenant: string;
  readonly dates_calculated: number;
  readonly dates_held: number;
  readonly problems: readonly { code: string; severity: string; message: string; date: string }[];
}

/** Tenants that settle for what there is at once: tries only count with hours between them. */
const retryLimitOf = (tenant: string): number => (tenant.startsWith('settled') ? 1 : 3);

/** A configuration file with some tenants in a folder of its own, and what running it gives. */
export async function workplace(url: string, tenants: Readonly<Record<string, object>>, lookbackDays = 3) {
  const folder = await temporaryFolder();
  const file = path.join(folder.path, 'config.yaml');
  const entries = Object.entries(tenants).map(([name, settings]) => [
    name,
    {
      ecosystem: 'self_managed_kafka',
      tenant_id: name,
      lookback_days: lookbackDays,
      cutoff_days: 1,
      allocation_retry_limit: retryLimitOf(name),
      storage: { connection_string: `sqlite:///${path.join(folder.path, `${name}.db`)}` },
      plugin_settings: {
        cluster_id: 'kafka-1',
        broker_count: 3,
        cost_model: SPECIFIED,
        metrics: { url },
        min_refresh_gap_seconds: 0,
        emitters: [{ type: 'csv', params: { output_dir: path.join(folder.path, 'out', name) } }],
        ...settings,
      },
    },
  ]);
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ tenants: Object.fromEntries(entries) }));
  return {
    remove: folder.remove,
    config: file,
    folder: folder.path,
    /** Changes settings of one tenant. */
    async change(tenant: string, settings: object): Promise<void> {
      const written = JSON.parse(await readFile(file, 'utf8')) as {
        tenants: Record<string, { plugin_settings: object }>;
      };
      Object.assign(written.tenants[tenant]!.plugin_settings, settings);
      await writeFile(file, JSON.stringify(written));
    },
    async run(): Promise<{ exitCode: number | null; runs: ReadonlyMap<string, Run> }> {
      const { exitCode, stdout, stderr } = await chargeback(['run', '--config', file, '--json'], {
        cwd: folder.path,
      });
      expect(stderr).not.toMatch(/CB_INTERNAL/);
      const { runs } = JSON.parse(stdout) as { runs: Run[] };
      return { exitCode, runs: new Map(runs.map((run) => [run.tenant, run])) };
    },
    async rowsOf(tenant: string): Promise<CsvRow[]> {
      const files = await filesIn(path.join(folder.path, 'out', tenant));
      return Object.values(files).flatMap((text) => parseCsv(text));
    },
  };
}

export type Workplace = Awaited<ReturnType<typeof workplace>>;

export const isoDay = (day: number): string =>
  new Date((firstDay + day * DAY) * 1000).toISOString().slice(0, 10);

/** Amounts of a product on a day by identity, as the file has them. */
export function amountsOf(rows: readonly CsvRow[], product: string, day = isoDay(0)): Record<string, string> {
  const found = rows.filter((row) => row.productType === `SELF_KAFKA_${product}` && row.day === day);
  return Object.fromEntries(found.map(({ identity, amount }) => [identity, amount]));
}

export const total = (amounts: Readonly<Record<string, string>>): bigint =>
  Object.values(amounts).reduce((units, amount) => units + unitsOf(amount), 0n);

export function* series(
  name: string,
  labels: Record<string, string>,
  value: (instant: number) => number | null,
): Iterable<string> {
  const text = Object.entries(labels).map(([label, one]) => `${label}=${JSON.stringify(one)}`);
  for (let instant = firstDay; instant <= firstDay + 2 * DAY; instant += SPACING) {
    const sample = value(instant);
    if (sample !== null) yield `${name}{${text.join(',')}} ${sample} ${instant}\n`;
  }
}

/** Reaches `bytes` at the end of the first day and again at the end of the second, in whole bytes. */
export const counterTo =
  (bytes: number) =>
  (instant: number): number =>
    Math.floor((bytes * (instant - firstDay)) / DAY);

export const BYTES_IN = 'kafka_server_brokertopicmetrics_bytesin_total';
export const BYTES_OUT = 'kafka_server_brokertopicmetrics_bytesout_total';
/** 53,687,091,200 bytes a day in all: 500, 300 and 200 of a thousand, beside an aggregate of the same name. */
export const PARTS = { 'team-a': 25 * GIB, 'team-b': 15 * GIB, 'team-c': 10 * GIB };

/** The cluster of the traffic that the exporter's example rules tell of. */
export const jmx = { metric_preset: 'jmx_exporter', selector: 'cluster="jmx_exporter"' };
