import { type FileHandle, mkdir } from 'node:fs/promises';
import path from 'node:path';
import {
  ChargebackError,
  type EmissionBatch,
  type EmissionReceipt,
  type Emitter,
  type EmitterPlugin,
  isoDateOf,
} from '@chargeback/plugin-api';
import { z } from 'zod';
import { csvHeader, CsvText } from './csv-text.ts';
import { fileNameOf, unknownPlaceholders } from './file-name.ts';
import { addTotals } from './receipt-totals.ts';
import { replaceFile } from './replace-file.ts';

/** Rows turned into text at a time, whatever the size of the chunks: bounds the memory. */
const ROWS_PER_WRITE = 4_000;

export const csvParamsSchema = z.strictObject({
  output_dir: z.string().min(1).describe('Folder of the files; made when it is missing.'),
  filename_template: z
    .string()
    .min(1)
    .default('{tenant_id}_{date}.csv')
    .check((context) => {
      for (const name of unknownPlaceholders(context.value)) {
        context.issues.push({
          code: 'custom',
          input: context.value,
          message: `unknown placeholder {${name}}; use {tenant_id} and {date}`,
        });
      }
    })
    .describe('File name with {tenant_id} and {date}; the date of a month is its first day.'),
});

export type CsvParams = z.output<typeof csvParamsSchema>;

export interface CsvEmitterOptions {
  /** Names the files that this emitter replaces. */
  readonly tenantId?: string;
  /** Where a relative output_dir begins. Default: the folder the process runs in. */
  readonly workingDirectory?: string;
}

/**
 * One CSV file per period: UTF-8, comma, CRLF, header row, only those cells quoted that must be. A period
 * that is emitted again replaces its file in one step.
 *
 * `emit` rejects with `CB_EMIT_FAILED` when the disk refuses, `CB_EMIT_PATH` when the tenant's id would lead
 * out of `output_dir`, and the signal's reason when aborted; in each case the old file stays as it was.
 * @throws {ChargebackError} `CB_EMIT_SETTINGS` or `CB_EMIT_PATH` for a template that cannot be used.
 */
export function createCsvEmitter(params: CsvParams, options: CsvEmitterOptions = {}): Emitter {
  const directory = path.resolve(options.workingDirectory ?? '', params.output_dir);
  const template = params.filename_template;
  fileNameOf(template, { tenantId: 'tenant', date: '2026-01-01' });
  const destination = fileNameOf(template, { tenantId: options.tenantId ?? '{tenant_id}', date: '{date}' });
  return {
    destination: path.join(directory, destination),
    async emit(batch, signal) {
      const name = fileNameOf(template, { tenantId: batch.tenantId, date: isoDateOf(batch.period.start) });
      const writer = JSON.stringify([batch.ecosystem, batch.tenantId]);
      try {
        signal.throwIfAborted();
        await mkdir(directory, { recursive: true });
        return await replaceFile({ directory, name, writer }, (file) => writeRows(file, batch, signal));
      } catch (cause) {
        if (signal.aborted || ChargebackError.isInstance(cause)) throw cause;
        throw new ChargebackError('CB_EMIT_FAILED', `could not write ${path.join(directory, name)}`, {
          cause,
          path: path.join(directory, name),
        });
      }
    },
  };
}

/** Each write is awaited before the next rows are asked for. */
async function writeRows(
  file: FileHandle,
  batch: EmissionBatch,
  signal: AbortSignal,
): Promise<EmissionReceipt> {
  const text = new CsvText();
  const totals = new Map<string, bigint>();
  let rowCount = 0;
  await file.writeFile(csvHeader());
  for await (const chunk of batch.rows) {
    for (let start = 0; start < chunk.length; start += ROWS_PER_WRITE) {
      signal.throwIfAborted();
      const rows = chunk.slice(start, start + ROWS_PER_WRITE);
      await file.writeFile(text.lines(rows));
      addTotals(totals, rows);
      rowCount += rows.length;
    }
  }
  signal.throwIfAborted();
  return { rowCount, totals };
}

/** The `csv` emitter. A relative output_dir begins at the folder the process runs in. */
export const csvEmitter: EmitterPlugin<CsvParams> = {
  type: 'csv',
  params: csvParamsSchema,
  create(params, host) {
    // A tenant id that cannot be part of a file name is told before any money moves.
    fileNameOf(params.filename_template, { tenantId: host.tenantId, date: '2026-01-01' });
    if (!params.filename_template.includes('{date}')) {
      host.logger.warn(
        { filename_template: params.filename_template },
        'filename_template has no {date}: each period overwrites the one before',
      );
    }
    return createCsvEmitter(params, { tenantId: host.tenantId });
  },
};
