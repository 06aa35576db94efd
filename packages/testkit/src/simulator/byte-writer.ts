const DIGIT_ZERO = 48;
const HALF = 100_000_000;

/**
 * Builds an answer as bytes in a buffer that is used again and again. Joining the same text from strings costs
 * several times as much, and an answer can have hundreds of thousands of samples.
 */
export class ByteWriter {
  bytes = new Uint8Array(65_536);
  length = 0;

  /** Makes room for so many more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.length + count, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  /** Appends bytes; reserves the room itself. */
  copy(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  /** A copy of what was written, and an empty writer. */
  take(): Uint8Array<ArrayBuffer> {
    const result = this.bytes.slice(0, this.length);
    this.length = 0;
    return result;
  }
}

/** Writes a sample value as Prometheus does, in at most 25 bytes; returns where it ends. */
export function writeValue(bytes: Uint8Array, start: number, value: number): number {
  if (value >= 0 && value < 1e15 && Math.floor(value) === value) {
    if (value < HALF) return writeDigits(bytes, start, value | 0);
    const high = Math.floor(value / HALF);
    const middle = writeDigits(bytes, start, high | 0);
    let low = (value - high * HALF) | 0;
    for (let place = middle + 7; place >= middle; place -= 1) {
      const rest = (low / 10) | 0;
      bytes[place] = DIGIT_ZERO + low - rest * 10;
      low = rest;
    }
    return middle + 8;
  }
  const text = textOf(value);
  for (let index = 0; index < text.length; index += 1) bytes[start + index] = text.charCodeAt(index);
  return start + text.length;
}

/** Writes a whole number of at most eight digits; returns where it ends. */
function writeDigits(bytes: Uint8Array, start: number, value: number): number {
  let end = start + 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) end += 1;
  let rest = value;
  for (let place = end - 1; place >= start; place -= 1) {
    const tenth = (rest / 10) | 0;
    bytes[place] = DIGIT_ZERO + rest - tenth * 10;
    rest = tenth;
  }
  return end;
}

function textOf(value: number): string {
  if (Number.isFinite(value)) return String(value).replace(/e-(\d)$/, 'e-0$1');
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}
