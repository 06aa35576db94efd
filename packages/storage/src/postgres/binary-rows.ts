import { ChargebackError } from '@chargeback/plugin-api';

const ROWS_PER_PIECE = 1000;
/** Signature, no flags, no extension. */
const START = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex');
/** In the place of a number of columns. */
const END = Buffer.from('ffff', 'hex');
const VALUE_BYTES = 8;
/** A value comes after its length. */
const COLUMN_BYTES = 4 + VALUE_BYTES;
const UPPER_HALF = 2 ** 32;

/**
 * Rows in the binary format of `COPY`, whose columns are all `bigint` or `double precision`: neither side writes or
 * reads digits. Values are given column by column, row by row; whoever gives them sends each piece when there is one.
 */
export class BinaryRows {
  readonly #empty: Buffer;
  #piece: Buffer;
  /** Of the piece: its writes take a fraction of what those of a buffer take. */
  #view: DataView;
  #at = 0;

  constructor(columns: number) {
    this.#empty = emptyRows(columns);
    this.#piece = Buffer.from(this.#empty);
    this.#view = viewOf(this.#piece);
  }

  /** What comes before all rows. */
  get start(): Buffer {
    return START;
  }

  startRow(): void {
    this.#at += 2;
  }

  /** @throws {ChargebackError} `CB_STORAGE_REJECTED` for what is not an integer that a number holds exactly. */
  integer(value: number): void {
    if (!Number.isSafeInteger(value)) {
      throw new ChargebackError('CB_STORAGE_REJECTED', `${value} is not an integer`);
    }
    this.#view.setInt32(this.#at + 4, Math.floor(value / UPPER_HALF));
    this.#view.setInt32(this.#at + 8, value | 0);
    this.#at += COLUMN_BYTES;
  }

  /** @throws {ChargebackError} `CB_STORAGE_REJECTED` for more than 64 bits hold. */
  bigint(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) {
      throw new ChargebackError('CB_STORAGE_REJECTED', `${value} is more than an integer of 64 bits`);
    }
    this.#view.setBigInt64(this.#at + 4, value);
    this.#at += COLUMN_BYTES;
  }

  /** @throws {ChargebackError} `CB_STORAGE_REJECTED` for what is not a number: nobody could read the day again. */
  real(value: number): void {
    if (Number.isNaN(value + 0)) {
      throw new ChargebackError('CB_STORAGE_REJECTED', `${value} is not a number`);
    }
    // Zero has no sign, as in text.
    this.#view.setFloat64(this.#at + 4, value + 0);
    this.#at += COLUMN_BYTES;
  }

  /** Whether {@link take} is due. */
  get isFull(): boolean {
    return this.#at === this.#empty.length;
  }

  /** The rows since the last piece, not many. */
  take(): Buffer {
    const piece = this.#piece.subarray(0, this.#at);
    this.#piece = Buffer.from(this.#empty);
    this.#view = viewOf(this.#piece);
    this.#at = 0;
    return piece;
  }

  /** The rows since the last piece, and the end of all. */
  end(): Buffer {
    return Buffer.concat([this.#piece.subarray(0, this.#at), END]);
  }
}

/** By number of columns. */
const EMPTY = new Map<number, Buffer>();

/** As many rows as fit, with everything but their values. */
function emptyRows(columns: number): Buffer {
  const known = EMPTY.get(columns);
  if (known) return known;
  const rowBytes = 2 + columns * COLUMN_BYTES;
  const empty = Buffer.alloc(rowBytes * ROWS_PER_PIECE);
  for (let row = 0; row < ROWS_PER_PIECE; row += 1) {
    let at = empty.writeInt16BE(columns, row * rowBytes);
    for (let column = 0; column < columns; column += 1, at += COLUMN_BYTES) {
      empty.writeInt32BE(VALUE_BYTES, at);
    }
  }
  EMPTY.set(columns, empty);
  return empty;
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
