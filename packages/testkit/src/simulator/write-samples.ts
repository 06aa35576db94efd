import { type ByteWriter, writeValue } from './byte-writer.ts';
import type { Column, Grid, PreparedSeries } from './query-plan.ts';

/** The text `[1700000000,"` of every instant, one after another in one array. */
export interface SampleStamps {
  readonly bytes: Uint8Array;
  /** Where the text of instant i begins; entry i + 1 is where it ends. */
  readonly offsets: Int32Array;
  isFor(grid: Grid): boolean;
}

/** Room for the longest value and what stands around it. */
const LONGEST_SAMPLE = 64;
const COMMA = 44;
const QUOTE = 34;
const BRACKET = 93;

const encoder = new TextEncoder();
const MATRIX_HEAD = encoder.encode('{"status":"success","data":{"resultType":"matrix","result":[');
const VECTOR_HEAD = encoder.encode('{"status":"success","data":{"resultType":"vector","result":[');
const TAIL = encoder.encode(']}}');
const VALUES = encoder.encode('"values":[');
const VALUE = encoder.encode('"value":');
const SERIES_END = encoder.encode(']}');
const SERIES_SEPARATOR = encoder.encode(',');
const OBJECT_END = encoder.encode('}');

export function stampsOf(grid: Grid): SampleStamps {
  const offsets = new Int32Array(grid.count + 1);
  const texts: string[] = [];
  let length = 0;
  for (let index = 0; index < grid.count; index += 1) {
    const text = `[${secondsText(grid.start + index * grid.step)},"`;
    texts.push(text);
    length += text.length;
    offsets[index + 1] = length;
  }
  const { start, step, count } = grid;
  return {
    bytes: encoder.encode(texts.join('')),
    offsets,
    isFor: (other) => other.start === start && other.step === step && other.count === count,
  };
}

interface WriteTask {
  readonly grid: Grid;
  readonly stamps: SampleStamps;
  /** Used for one series after another. */
  readonly column: Column;
  readonly writer: ByteWriter;
}

/** Series without any sample are left out, as a Prometheus server does. */
export function writeMatrix(plan: readonly PreparedSeries[], task: WriteTask): Uint8Array<ArrayBuffer> {
  const { grid, column, writer } = task;
  writer.copy(MATRIX_HEAD);
  let written = 0;
  for (const series of plan) {
    series.evaluate(grid, column);
    if (!column.present.includes(1)) continue;
    if (written > 0) writer.copy(SERIES_SEPARATOR);
    written += 1;
    writer.copy(series.head);
    writer.copy(VALUES);
    writeSamples(task);
    writer.copy(SERIES_END);
  }
  writer.copy(TAIL);
  return writer.take();
}

export function writeVector(plan: readonly PreparedSeries[], task: WriteTask): Uint8Array<ArrayBuffer> {
  const { grid, column, writer } = task;
  writer.copy(VECTOR_HEAD);
  let written = 0;
  for (const series of plan) {
    series.evaluate(grid, column);
    if (column.present[0] === 0) continue;
    if (written > 0) writer.copy(SERIES_SEPARATOR);
    written += 1;
    writer.copy(series.head);
    writer.copy(VALUE);
    writeSamples(task);
    writer.copy(OBJECT_END);
  }
  writer.copy(TAIL);
  return writer.take();
}

function writeSamples({ grid, stamps, column, writer }: WriteTask): void {
  const { values, present } = column;
  const { bytes: stampBytes, offsets } = stamps;
  writer.reserve(grid.count * LONGEST_SAMPLE);
  const { bytes } = writer;
  const begin = writer.length;
  let length = begin;
  for (let index = 0; index < grid.count; index += 1) {
    if (present[index] === 0) continue;
    if (length > begin) bytes[length++] = COMMA;
    const end = offsets[index + 1]!;
    for (let place = offsets[index]!; place < end; place += 1) bytes[length++] = stampBytes[place]!;
    length = writeValue(bytes, length, values[index]!);
    bytes[length++] = QUOTE;
    bytes[length++] = BRACKET;
  }
  writer.length = length;
}

/** Whole seconds without a point, others with three decimals, as Prometheus writes them. */
function secondsText(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? String(milliseconds / 1000) : (milliseconds / 1000).toFixed(3);
}
