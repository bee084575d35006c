/**
 * The hand-written peer of the LMDB adapter: the client as its own guide says, asynchronous puts that are awaited once
 * a batch, and at the end `flushed`, by which all are on the disk, as the adapter's are. It writes the adapter's
 * records, encoded with LeakDB's codec.
 */

import { mkdirSync } from "node:fs";
import { crc32 } from "node:zlib";
import { msgpackCodec } from "@leakdb/core";
import { type Database, open, type RootDatabase } from "lmdb";
import type { BenchValue } from "../records.js";

const FIRST_VERSION = 1_790_000_000_000_000n;
/** Checksum, version and moment of expiry. */
const HEADER_BYTES = 20;

export class BareLmdb {
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #records: Database<Uint8Array, Uint8Array>;
  readonly #codec = msgpackCodec();

  constructor(path: string) {
    mkdirSync(path, { recursive: true });
    this.#root = open<Uint8Array, Uint8Array>({ path, noSubdir: false, maxDbs: 3, keyEncoding: "binary" });
    this.#records = this.#root.openDB("records", { encoding: "binary", keyEncoding: "binary" });
  }

  makeSchema(): void {
    // LMDB has none.
  }

  async write(keys: readonly string[], values: readonly BenchValue[], batch: number): Promise<void> {
    for (let start = 0; start < keys.length; start += batch) {
      const end = Math.min(keys.length, start + batch);
      let written: Promise<boolean> | undefined;
      for (let index = start; index < end; index += 1) {
        const record = this.#record(keys[index] as string, values[index] as BenchValue, index);
        written = this.#records.put(Buffer.from(keys[index] as string), record);
      }
      await written;
    }
    await this.#root.flushed;
  }

  readAll(): Map<string, BenchValue> {
    const map = new Map<string, BenchValue>();
    for (const { key, value } of this.#records.getRange({ start: new Uint8Array(0) })) {
      map.set(
        Buffer.from(key).toString(),
        this.#codec.decode(Buffer.from(value).subarray(HEADER_BYTES)) as BenchValue,
      );
    }
    return map;
  }

  close(): Promise<void> {
    return this.#root.close();
  }

  #record(key: string, value: BenchValue, index: number): Buffer {
    const encoded = this.#codec.encode(value);
    const bytes = Buffer.alloc(HEADER_BYTES + encoded.byteLength);
    bytes.writeBigUInt64BE(FIRST_VERSION + BigInt(index), 4);
    bytes.set(encoded, HEADER_BYTES);
    bytes.writeUInt32BE(crc32(bytes, crc32(key)), 0);
    return bytes;
  }
}
