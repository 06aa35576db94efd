import { createHash } from 'node:crypto';
import { type FileHandle, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { addTotals } from '@chargeback/money';
import {
  type EmissionBatch,
  type EmissionReceipt,
  type Emitter,
  type EmitterPlugin,
  isoDateOf,
} from '@chargeback/plugin-api';
import { z } from 'zod';
import { CsvCells, CsvText } from './csv-text.ts';
import { isFile, markText, parseMark, removeIfUnchanged, seenIfUnchanged } from './file-mark.ts';
import { fileNameOf, unknownPlaceholders } from './file-name.ts';
import { replaceFile } from './replace-file.ts';
import { withEmitFailure } from './with-emit-failure.ts';

/** Rows turned into text at a time, whatever the size of the chunks: bounds the memory. */
const ROWS_AT_ONCE = 4_000;

/** Rows are read and made text of while the disk takes other files. */
const FILES_AT_ONCE = 3;

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
 * that is emitted again replaces its file in one step; one whose file is gone, or is not as it was written, is
 * emitted again (`holds`). What it wrote into the folder under another name or for another aggregation is removed
 * once the new file is there (`withdraw`), and nothing else ever.
 *
 * `emit` rejects with `CB_EMIT_FAILED` when the disk refuses, `CB_EMIT_PATH` when the tenant's id would lead
 * out of `output_dir`, and the signal's reason when aborted; in each case the old file stays as it was.
 * @throws {ChargebackError} `CB_EMIT_SETTINGS` or `CB_EMIT_PATH` for a template that cannot be used.
 */
export function createCsvEmitter(params: CsvParams, options: CsvEmitterOptions = {}): Emitter {
  const cells = new CsvCells();
  const directory = path.resolve(options.workingDirectory ?? '', params.output_dir);
  const template = params.filename_template;
  fileNameOf(template, { tenantId: 'tenant', date: '2026-01-01' });
  const destination = fileNameOf(template, { tenantId: options.tenantId ?? '{tenant_id}', date: '{date}' });
  const fileOf = ({ tenantId, period }: Pick<EmissionBatch, 'tenantId' | 'period'>): string =>
    path.join(directory, fileNameOf(template, { tenantId, date: isoDateOf(period.start) }));
  return {
    destination: path.join(directory, destination),
    // Of a file that each period overwrites the last one is to stay.
    batchesAtOnce: template.includes('{date}') ? FILES_AT_ONCE : 1,
    async emit(batch, signal) {
      const file = fileOf(batch);
      const name = path.basename(file);
      return withEmitFailure(file, signal, async () => {
        const writer = JSON.stringify([batch.ecosystem, batch.tenantId]);
        await mkdir(directory, { recursive: true });
        const confirm = ({ digest }: WrittenRows): Promise<void> =>
          batch.confirm(markText({ file, digest, seen: '' }));
        const { result, seen } = await replaceFile({ directory, name, writer, confirm }, (handle) =>
          writeRows(handle, { batch, cells, signal }),
        );
        const { digest, ...receipt } = result;
        return { ...receipt, mark: markText({ file, digest, seen }) };
      });
    },
    async holds({ tenantId, period, mark }) {
      const written = parseMark(mark);
      if (written?.file !== fileOf({ tenantId, period })) return false;
      // Of a file that each period overwrites only the last one can be told.
      if (!template.includes('{date}')) return isFile(written.file);
      const seen = await seenIfUnchanged(written);
      if (seen === null || seen === written.seen) return seen !== null;
      return { mark: markText({ ...written, seen }) };
    },
    place: ({ mark }) => parseMark(mark)?.file ?? null,
    async withdraw(batch, by) {
      const current = parseMark(by.mark)?.file ?? fileOf(by);
      const old = parseMark(batch.mark);
      // What was written before marks were kept may be anybody's: it is named, not removed.
      if (old === null) return unlessSame(fileOf(batch), current);
      // Another folder is left alone.
      if (path.dirname(old.file) === path.dirname(current)) await removeIfUnchanged(old, current);
      return null;
    },
  };
}

/** The file if it is there and is not the other one. */
async function unlessSame(file: string, other: string): Promise<string | null> {
  return file !== other && (await isFile(file)) ? file : null;
}

interface WrittenRows extends EmissionReceipt {
  /** SHA-256 of the file. */
  readonly digest: string;
}

interface RowsToWrite {
  readonly batch: EmissionBatch;
  readonly cells: CsvCells;
  readonly signal: AbortSignal;
}

/** Each write is awaited before the next rows are asked for. */
async function writeRows(file: FileHandle, { batch, cells, signal }: RowsToWrite): Promise<WrittenRows> {
  const text = new CsvText(cells);
  const hash = createHash('sha256');
  const write = async (): Promise<void> => {
    const piece = text.take();
    hash.update(piece);
    await file.writeFile(piece);
  };
  const totals = new Map<string, bigint>();
  let rowCount = 0;
  text.addHeader();
  for await (const chunk of batch.rows) {
    for (let start = 0; start < chunk.length; start += ROWS_AT_ONCE) {
      signal.throwIfAborted();
      const rows = chunk.length <= ROWS_AT_ONCE ? chunk : chunk.slice(start, start + ROWS_AT_ONCE);
      text.add(rows);
      await write();
      addTotals(totals, rows);
      rowCount += rows.length;
    }
  }
  signal.throwIfAborted();
  // Where there were no rows.
  if (rowCount === 0) await write();
  return { rowCount, totals, digest: hash.digest('hex') };
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
