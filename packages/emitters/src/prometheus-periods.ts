import { createHash } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  type Aggregation,
  ChargebackError,
  describeCause,
  type EmittedBatch,
  type IsoDate,
  isoDateOf,
} from '@chargeback/plugin-api';
import { addSamples, type SeriesSums } from './prometheus-text.ts';

/** Changes when the form of the files does, so that they are written again. */
const FORMAT = 1;
/** Enough for the lines before the samples. */
const HEAD_BYTES = 1024;

/** What one sample of a period file adds up. */
export type SampleLength = 'hour' | 'day' | 'month';

/** Without an aggregation rows are added up by day: a series has one sample per time. */
export function sampleLength(aggregation: Aggregation | null): SampleLength {
  if (aggregation === 'hourly') return 'hour';
  return aggregation === 'monthly' ? 'month' : 'day';
}

const METRIC = { hour: 'hourly_cost', day: 'daily_cost', month: 'monthly_cost' } as const;

/** The file itself says what it holds. */
type NamedBatch = Omit<EmittedBatch, 'mark' | 'tenantId'>;

export interface PeriodFile {
  readonly date: IsoDate;
  readonly path: string;
}

export interface PeriodFilesOptions {
  readonly directory: string;
  readonly metricPrefix: string;
  readonly ecosystem: string;
  readonly tenantId: string;
  /** In a fixed order. */
  readonly labels: readonly string[];
}

/**
 * The files of one emitter: one in OpenMetrics text for each period, and one with the gauges of now. Names say whose
 * they are, so tenants can share a folder.
 */
export class PeriodFiles {
  readonly directory: string;
  /** File with the gauges of now. */
  readonly gaugesName: string;
  readonly #options: PeriodFilesOptions;
  readonly #stem: string;

  constructor(options: PeriodFilesOptions) {
    const { metricPrefix, ecosystem, tenantId } = options;
    this.directory = options.directory;
    this.#options = options;
    this.#stem = [metricPrefix, ecosystem, tenantId].map(fileNamePart).join('+');
    this.gaugesName = `${this.#stem}.prom`;
  }

  metricOf(length: SampleLength): string {
    return `${this.#options.metricPrefix}_${METRIC[length]}`;
  }

  nameOf({ period, aggregation }: NamedBatch): string {
    return `${this.#prefixOf(sampleLength(aggregation))}${isoDateOf(period.start)}.om`;
  }

  /** The lines before the samples. The mark tells later whether this very batch was written, in this form. */
  headerOf(batch: NamedBatch): string {
    const length = sampleLength(batch.aggregation);
    const metric = this.metricOf(length);
    const help = `Cost of the ${length} that begins at the time of the sample. Batch ${this.#markOf(batch)}.`;
    return `# HELP ${metric} ${help}\n# TYPE ${metric} gauge\n`;
  }

  /** Whether the batch's file is there and as it would be written now. */
  async holds(batch: NamedBatch): Promise<boolean> {
    try {
      const head = await headOf(path.join(this.directory, this.nameOf(batch)));
      return head.startsWith(this.headerOf(batch));
    } catch {
      // Whatever keeps it from being read, the emission that follows mends it or tells it.
      return false;
    }
  }

  /** First line of the gauges that these files give; differs when any of them does. */
  async gaugesMark(files: readonly PeriodFile[]): Promise<string> {
    const digest = createHash('sha256');
    for (const file of files) digest.update(`${file.date} ${firstLineOf(await headOf(file.path))}\n`);
    return `# From ${files.length} periods: ${digest.digest('hex').slice(0, 16)}`;
  }

  /** Whether the gauges that are there are those with this first line. */
  async hasGauges(mark: string): Promise<boolean> {
    const head = await headOf(path.join(this.directory, this.gaugesName)).catch(() => '');
    return firstLineOf(head) === mark;
  }

  /** Ascending by date. */
  async list(length: SampleLength): Promise<PeriodFile[]> {
    const prefix = this.#prefixOf(length);
    const names = (await readdir(this.directory)).filter(
      (name) => name.startsWith(prefix) && /^\d{4}-\d\d-\d\d\.om$/u.test(name.slice(prefix.length)),
    );
    return names.toSorted().map((name) => ({
      date: name.slice(prefix.length, -'.om'.length),
      path: path.join(this.directory, name),
    }));
  }

  #prefixOf(length: SampleLength): string {
    return `${this.#stem}+${length}+`;
  }

  #markOf({ batchId }: NamedBatch): string {
    return createHash('sha256')
      .update(JSON.stringify([FORMAT, batchId, this.#options.labels]))
      .digest('hex')
      .slice(0, 16);
  }
}

async function headOf(file: string): Promise<string> {
  await using handle = await open(file);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  return buffer.toString('utf8', 0, bytesRead);
}

function firstLineOf(text: string): string {
  return text.slice(0, text.indexOf('\n'));
}

/**
 * Adds what a period file holds to the sums.
 * @throws {ChargebackError} `CB_EMIT_FAILED` for a file that is not as it was written.
 */
export async function addPeriod(sums: SeriesSums, { path: file }: PeriodFile): Promise<void> {
  const text = await readFile(file, 'utf8');
  try {
    if (!text.endsWith('# EOF\n')) throw new Error('its end is missing');
    addSamples(sums, text);
  } catch (cause) {
    throw new ChargebackError('CB_EMIT_FAILED', `${file} was changed: ${describeCause(cause)}`, {
      path: file,
      fix: 'Delete the file; it is emitted again.',
      cause,
    });
  }
}

/** Text as a part of a file name on any system; `+` separates the parts. */
function fileNamePart(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll('*', '%2A');
}
