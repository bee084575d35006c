/**
 * The one binary form in which rows cross between threads: batches of mutations on the way out, pages of records on
 * the way back. It is made by columns, so that packing costs the main thread one native call a slice for all keys
 * and one copy a value, and nothing else per row than a few stores into typed arrays.
 *
 * ```
 * | header 16 B | versions f64[n] | expiries f64[n] | key units u32[n] | value bytes u32[n] | types u8[n] | values | keys |
 *   header: u32 count, u32 offset of keys, u32 bytes of keys, u32 0
 * ```
 *
 * A key's length is in UTF-16 units. Where the key block has as many bytes as units it is all ASCII, and each key can
 * be cut out of the bytes by itself; otherwise the block is decoded once and cut as a string. Numbers are in the
 * byte order of the machine, since both ends are threads of one process.
 */

import type { Mutation, StoredRecord } from "../adapter.js";

type Row = Mutation | (StoredRecord & { readonly type?: never });

const HEADER_BYTES = 16;
const COLUMNS_BYTES_PER_ROW = 8 + 8 + 4 + 4 + 1;

/** A UTF-16 unit never takes more than this many bytes of UTF-8. */
const UTF8_BYTES_PER_UNIT_MAX = 3;

const PUT = 0;
const DELETE = 1;
const CLEAR = 2;

interface Columns {
  readonly header: Uint32Array;
  readonly versions: Float64Array;
  readonly expiries: Float64Array;
  readonly keyUnits: Uint32Array;
  readonly valueBytes: Uint32Array;
  readonly types: Uint8Array;
  readonly valuesOffset: number;
}

function columnsOf(buffer: ArrayBuffer, count: number): Columns {
  const expiriesOffset = HEADER_BYTES + count * 8;
  const keyUnitsOffset = expiriesOffset + count * 8;
  const valueBytesOffset = keyUnitsOffset + count * 4;
  const typesOffset = valueBytesOffset + count * 4;
  return {
    header: new Uint32Array(buffer, 0, HEADER_BYTES / 4),
    versions: new Float64Array(buffer, HEADER_BYTES, count),
    expiries: new Float64Array(buffer, expiriesOffset, count),
    keyUnits: new Uint32Array(buffer, keyUnitsOffset, count),
    valueBytes: new Uint32Array(buffer, valueBytesOffset, count),
    types: new Uint8Array(buffer, typesOffset, count),
    valuesOffset: typesOffset + count,
  };
}

/** The bytes a buffer must have to take `rows`, exact but for keys that are not ASCII. */
export function packedBytesMax(rows: readonly Row[]): number {
  let bytes = HEADER_BYTES + rows.length * COLUMNS_BYTES_PER_ROW;
  for (const row of rows) {
    if (row.type === "clear") bytes += row.prefix.length * UTF8_BYTES_PER_UNIT_MAX;
    else bytes += row.key.length * UTF8_BYTES_PER_UNIT_MAX;
    if (row.type === "put" || row.type === undefined) bytes += row.value.byteLength;
  }
  return bytes;
}

/** Packs rows into a buffer, as many at a time as its caller has time for. */
export class RowPacker {
  readonly #rows: readonly Row[];
  readonly #columns: Columns;
  readonly #bytes: Buffer;
  #row = 0;
  #valuesEnd: number;
  #keysEnd: number;

  /** `buffer` has at least {@link packedBytesMax} bytes and is the packer's until it is done. */
  constructor(rows: readonly Row[], buffer: ArrayBuffer) {
    this.#rows = rows;
    this.#columns = columnsOf(buffer, rows.length);
    this.#bytes = Buffer.from(buffer);
    this.#valuesEnd = this.#columns.valuesOffset;
    let valuesBytes = 0;
    for (const row of rows) {
      if (row.type === "put" || row.type === undefined) valuesBytes += row.value.byteLength;
    }
    this.#keysEnd = this.#valuesEnd + valuesBytes;
    this.#columns.header[0] = rows.length;
    this.#columns.header[1] = this.#keysEnd;
    this.#columns.header[2] = 0;
    this.#columns.header[3] = 0;
  }

  /** Packs up to `rowsMax` more rows; true when all are packed. */
  pack(rowsMax: number): boolean {
    const { versions, expiries, keyUnits, valueBytes, types, header } = this.#columns;
    const end = Math.min(this.#rows.length, this.#row + rowsMax);
    let keys = "";
    let valuesEnd = this.#valuesEnd;
    for (let index = this.#row; index < end; index += 1) {
      const row = this.#rows[index] as Row;
      versions[index] = row.version;
      if (row.type === "put" || row.type === undefined) {
        const length = row.value.byteLength;
        this.#bytes.set(row.value, valuesEnd);
        valuesEnd += length;
        keys += row.key;
        keyUnits[index] = row.key.length;
        valueBytes[index] = length;
        expiries[index] = row.expiresAt;
        types[index] = PUT;
      } else {
        const key = row.type === "clear" ? row.prefix : row.key;
        keys += key;
        keyUnits[index] = key.length;
        valueBytes[index] = 0;
        expiries[index] = 0;
        types[index] = row.type === "clear" ? CLEAR : DELETE;
      }
    }
    this.#keysEnd += this.#bytes.write(keys, this.#keysEnd, "utf8");
    this.#valuesEnd = valuesEnd;
    this.#row = end;
    header[2] = this.#keysEnd - (header[1] as number);
    return end === this.#rows.length;
  }
}

/** Packs all rows at once, into a new buffer. */
export function packRows(rows: readonly Row[]): ArrayBuffer {
  const buffer = new ArrayBuffer(packedBytesMax(rows));
  const packer = new RowPacker(rows, buffer);
  packer.pack(rows.length);
  return buffer;
}

/** Calls `visit` for each row in order. Values are views of `buffer`, not copies. */
function unpack(
  buffer: ArrayBuffer,
  visit: (type: number, key: string, value: Uint8Array, version: number, expiresAt: number) => void,
): void {
  const count = new Uint32Array(buffer, 0, 1)[0] as number;
  const { header, versions, expiries, keyUnits, valueBytes, types, valuesOffset } = columnsOf(buffer, count);
  const bytes = Buffer.from(buffer);
  let keysAt = header[1] as number;
  const keysBytes = header[2] as number;
  let unitsTotal = 0;
  for (const units of keyUnits) unitsTotal += units;
  const isAscii = unitsTotal === keysBytes;
  const text = isAscii ? "" : bytes.toString("utf8", keysAt, keysAt + keysBytes);
  let textAt = 0;
  let valueAt = valuesOffset;
  for (let index = 0; index < count; index += 1) {
    const units = keyUnits[index] as number;
    const key = isAscii
      ? bytes.toString("latin1", keysAt, keysAt + units)
      : text.substring(textAt, textAt + units);
    keysAt += units;
    textAt += units;
    const length = valueBytes[index] as number;
    const value = new Uint8Array(buffer, valueAt, length);
    valueAt += length;
    visit(types[index] as number, key, value, versions[index] as number, expiries[index] as number);
  }
}

/** The mutations of a packed batch. */
export function unpackMutations(buffer: ArrayBuffer): Mutation[] {
  const batch: Mutation[] = [];
  unpack(buffer, (type, key, value, version, expiresAt) => {
    if (type === PUT) batch.push({ type: "put", key, value, version, expiresAt });
    else if (type === DELETE) batch.push({ type: "delete", key, version });
    else batch.push({ type: "clear", prefix: key, version });
  });
  return batch;
}

/** The records of a packed page. */
export function unpackRecords(buffer: ArrayBuffer): StoredRecord[] {
  const page: StoredRecord[] = [];
  unpack(buffer, (_type, key, value, version, expiresAt) => {
    page.push({ key, value, version, expiresAt });
  });
  return page;
}
