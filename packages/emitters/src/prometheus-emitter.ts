import type { FileHandle } from 'node:fs/promises';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { addTotals } from '@chargeback/money';
import {
  type EmissionBatch,
  type EmissionReceipt,
  type Emitter,
  type EmitterHost,
  type EmitterPlugin,
} from '@chargeback/plugin-api';
import { z } from 'zod';
import { gaugesText } from './prometheus-gauges.ts';
import { PeriodFiles, sampleLength } from './prometheus-periods.ts';
import { addUnits, LabelText, PROMETHEUS_LABELS, sampleLines, type SeriesSums } from './prometheus-text.ts';
import { type FileToReplace, replaceFile } from './replace-file.ts';
import { withEmitFailure } from './with-emit-failure.ts';

export const prometheusParamsSchema = z.strictObject({
  output_dir: z
    .string()
    .min(1)
    .describe('Folder of the files; made when it is missing. Keep it across restarts and upgrades.'),
  labels: z
    .array(z.enum(PROMETHEUS_LABELS))
    .default([...PROMETHEUS_LABELS])
    .describe(
      'Labels that tell series apart, besides tenant_id, ecosystem and currency. Costs are added up over what is left out.',
    ),
  metric_prefix: z
    .string()
    .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/u, 'must be letters, digits and _, and not begin with a digit')
    .default('chargeback')
    .describe('Beginning of every metric name; two emitters of a tenant need two.'),
});

export type PrometheusParams = z.output<typeof prometheusParamsSchema>;

/**
 * Writes each period into an OpenMetrics file of its own, with the time that was billed, for
 * `promtool tsdb create-blocks-from openmetrics`; and at the end of a run, from those files, the gauges of now
 * without a time, for a scrape. Files are replaced in one step. Nothing is kept in memory: what was emitted is
 * there after a restart, and what is missing or was written with other settings is emitted again.
 *
 * `emit` and `finish` reject with `CB_EMIT_FAILED` when the disk refuses, and with the signal's reason when
 * aborted; the old file then stays as it was.
 */
export function createPrometheusEmitter(
  params: PrometheusParams,
  { tenantId, ecosystem }: Pick<EmitterHost, 'tenantId' | 'ecosystem'>,
): Emitter {
  const { metric_prefix: metricPrefix } = params;
  const labels = PROMETHEUS_LABELS.filter((label) => params.labels.includes(label));
  const directory = path.resolve(params.output_dir);
  const files = new PeriodFiles({ directory, metricPrefix, ecosystem, tenantId, labels });
  const write = async (
    target: Pick<FileToReplace, 'name' | 'confirm'>,
    work: (file: FileHandle) => Promise<void>,
  ): Promise<void> => {
    const writer = JSON.stringify([ecosystem, tenantId]);
    await mkdir(directory, { recursive: true });
    await replaceFile({ directory, writer, ...target }, work);
  };
  return {
    // Two with the same metrics would show the same series twice, wherever their files are.
    destination: `metrics ${metricPrefix}_* of tenant ${tenantId} (${ecosystem})`,
    holds: (batch) => files.holds(batch),
    // A day's cost and a month's are two metrics: neither shows the other's twice.
    withdraw: async () => null,
    emit: (batch, signal) => {
      const name = files.nameOf(batch);
      return withEmitFailure(path.join(directory, name), signal, async () => {
        const { receipt, samples } = await addUp(batch, new LabelText(labels), signal);
        const confirm = (): Promise<void> => batch.confirm();
        const text = periodText(files, batch, samples);
        await write({ name, confirm }, (file) => writeInPieces(file, text, signal));
        return receipt;
      });
    },
    finish: (aggregation, signal) =>
      withEmitFailure(path.join(directory, files.gaugesName), signal, async () => {
        await mkdir(directory, { recursive: true });
        const length = sampleLength(aggregation);
        const periods = await files.list(length);
        const mark = await files.gaugesMark(periods);
        if (await files.hasGauges(mark)) return;
        const text = gaugesText(periods, { metricPrefix, tenantId, ecosystem, length });
        await write({ name: files.gaugesName }, async (file) => {
          await file.writeFile(`${mark}\n`);
          await writeInPieces(file, text, signal);
        });
      }),
    exposition: () => readIfThere(path.join(directory, files.gaugesName)),
  };
}

/** The `prometheus` emitter. A relative output_dir begins at the folder the process runs in. */
export const prometheusEmitter: EmitterPlugin<PrometheusParams> = {
  type: 'prometheus',
  params: prometheusParamsSchema,
  create: (params, host) => createPrometheusEmitter(params, host),
};

/** Sums by time, in Unix seconds, and then by series. */
type Samples = Map<number, SeriesSums>;

async function addUp(
  batch: EmissionBatch,
  labels: LabelText,
  signal: AbortSignal,
): Promise<{ receipt: EmissionReceipt; samples: Samples }> {
  const hourly = batch.aggregation === 'hourly';
  const start = batch.period.start.getTime() / 1000;
  const samples: Samples = new Map();
  const totals = new Map<string, bigint>();
  let rowCount = 0;
  for await (const rows of batch.rows) {
    signal.throwIfAborted();
    for (const row of rows) {
      const time = hourly ? hourOf(row.timestamp) : start;
      let sums = samples.get(time);
      if (!sums) samples.set(time, (sums = new Map()));
      addUnits(sums, labels.of(row), row.amount.units);
    }
    addTotals(totals, rows);
    rowCount += rows.length;
  }
  signal.throwIfAborted();
  return { receipt: { rowCount, totals }, samples };
}

function hourOf(timestamp: Date): number {
  return Math.floor(timestamp.getTime() / 3_600_000) * 3600;
}

function* periodText(files: PeriodFiles, batch: EmissionBatch, samples: Samples): Generator<string> {
  yield files.headerOf(batch);
  const metric = files.metricOf(sampleLength(batch.aggregation));
  for (const [time, sums] of [...samples].toSorted(([left], [right]) => left - right)) {
    yield* sampleLines(metric, sums, time);
  }
  yield '# EOF\n';
}

async function writeInPieces(
  file: FileHandle,
  pieces: Iterable<string> | AsyncIterable<string>,
  signal: AbortSignal,
): Promise<void> {
  for await (const piece of pieces) {
    signal.throwIfAborted();
    await file.writeFile(piece);
  }
  signal.throwIfAborted();
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw cause;
  }
}
