/**
 * The hand-written peer of the Redis adapter: ioredis with `MSET`, its fastest command for records, and some of them
 * under way at once. In a Cluster the records have the adapter's names, whose hash tags let an `MSET` take all of a batch that
 * are of one slot. It writes the adapter's records, encoded with LeakDB's codec, and fences nothing.
 */

import { msgpackCodec } from "@leakdb/core";
import calculateSlot from "cluster-key-slot";
import { Cluster, Redis } from "ioredis";
import type { BenchValue } from "../records.js";

const FIRST_VERSION = 1_790_000_000_000_000;
const PARTITIONS = 256;
/** Batches under way, so that the server has one while the next is made. */
const UNDER_WAY_MAX = 4;
const SCAN_COUNT = 1_000;

export class BareRedis {
  readonly #client: Redis | Cluster;
  readonly #keyPrefix: string;
  readonly #codec = msgpackCodec();

  constructor(url: string, keyPrefix: string, isCluster: boolean) {
    this.#client = isCluster ? new Cluster([url]) : new Redis(url);
    this.#keyPrefix = keyPrefix;
  }

  makeSchema(): void {
    // Redis has none.
  }

  async write(keys: readonly string[], values: readonly BenchValue[], batch: number): Promise<void> {
    const underWay: Promise<unknown>[] = [];
    for (let start = 0; start < keys.length; start += batch) {
      const end = Math.min(keys.length, start + batch);
      underWay.push(this.#writeBatch(keys, values, start, end));
      if (underWay.length > UNDER_WAY_MAX) await underWay.shift();
    }
    await Promise.all(underWay);
  }

  /** All records, scanned and decoded into a `Map`; the next names are asked for while values are read. */
  async readAll(): Promise<Map<string, BenchValue>> {
    const map = new Map<string, BenchValue>();
    const client = this.#client;
    const nodes = client instanceof Cluster ? client.nodes("master") : [client];
    if (client instanceof Cluster && nodes.length === 0) {
      await client.ping();
      nodes.push(...client.nodes("master"));
    }
    for (const node of nodes) {
      let next: Promise<[string, string[]]> | undefined = this.#scan(node, "0");
      while (next !== undefined) {
        const [cursor, found]: [string, string[]] = await next;
        next = cursor === "0" ? undefined : this.#scan(node, cursor);
        await this.#read(node, found, map);
      }
    }
    return map;
  }

  async close(): Promise<void> {
    await this.#client.quit();
  }

  #writeBatch(
    keys: readonly string[],
    values: readonly BenchValue[],
    start: number,
    end: number,
  ): Promise<unknown> {
    const commands = new Map<number, (string | Buffer)[]>();
    for (let index = start; index < end; index += 1) {
      const key = keys[index] as string;
      const partition = this.#client instanceof Cluster ? calculateSlot(key) % PARTITIONS : -1;
      let command = commands.get(partition);
      if (command === undefined) {
        command = [];
        commands.set(partition, command);
      }
      const head = partition < 0 ? this.#keyPrefix : `${this.#keyPrefix}{${partition}}`;
      command.push(head + key, this.#record(values[index] as BenchValue, FIRST_VERSION + index));
    }
    return Promise.all([...commands.values()].map((command) => this.#client.mset(command)));
  }

  #record(value: BenchValue, version: number): Buffer {
    const encoded = this.#codec.encode(value);
    const header = `${version} 0\n`;
    const bytes = Buffer.allocUnsafe(header.length + encoded.byteLength);
    bytes.write(header, 0, "latin1");
    bytes.set(encoded, header.length);
    return bytes;
  }

  #scan(node: Redis, cursor: string): Promise<[string, string[]]> {
    return node.scan(cursor, "MATCH", `${this.#keyPrefix}*`, "COUNT", SCAN_COUNT);
  }

  /** Marks are hashes, for which `MGET` has no value. */
  async #read(node: Redis, names: readonly string[], map: Map<string, BenchValue>): Promise<void> {
    const parts = new Map<string, string[]>();
    for (const name of names) {
      const tag = this.#client instanceof Cluster ? name.slice(0, name.indexOf("}") + 1) : this.#keyPrefix;
      const part = parts.get(tag);
      if (part === undefined) parts.set(tag, [name]);
      else part.push(name);
    }
    const readings = [...parts].map(async ([head, part]) => {
      for (const [index, record] of (await node.mgetBuffer(part)).entries()) {
        if (record === null) continue;
        const value = this.#codec.decode(record.subarray(record.indexOf(10) + 1)) as BenchValue;
        map.set((part[index] as string).slice(head.length), value);
      }
    });
    await Promise.all(readings);
  }
}
