/**
 * Reads records: by key, and all of a prefix over all servers, a page at a time. Nothing is asked that would hold a
 * server up (`KEYS`), and what is read ahead is bounded.
 */

import { setTimeout as delay } from "node:timers/promises";
import { AdapterError, type StoredRecord } from "@leakdb/core/adapter";
import type { Connection } from "./connection.js";
import { decodeRecord, foreignValue } from "./record.js";
import { SeenNames } from "./seen-names.js";
import type { Session } from "./session.js";
import { slotView } from "./slot-view.js";

/** How many entries of its table a server looks at for one answer. */
const SCAN_COUNT = 1_000;
/** How many bytes of values are asked for at once, as far as the ones before let foresee. */
const VALUES_BYTES = 4 * 1024 * 1024;
const VALUES_MIN = 8;
const VALUES_MAX = 1_000;
/** How often a scan begins anew because slots moved meanwhile. */
const PASSES_MAX = 50;
const PASS_AGAIN_MS = 100;

/** Names of one partition. */
export interface Named {
  readonly partition: number;
  readonly names: readonly string[];
}

/** The records in the order of the keys. */
export async function load(session: Session, keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
  const { layout } = session;
  const found = new Map<string, StoredRecord>();
  const values = new ValueReader(session);
  const names = keys.map((key) => layout.nameOf(layout.partitionOf(key), key));
  for (const part of values.parts(names)) {
    for (const record of await values.read(part)) found.set(record.key, record);
  }
  const given = new Set<string>();
  return keys.map((key) => {
    const record = found.get(key);
    if (record === undefined || !given.has(key)) {
      given.add(key);
      return record;
    }
    // Each answer has bytes of its own.
    return { ...record, value: record.value.slice() };
  });
}

/** Every record of the prefix whose key is greater than `after`, once. While one page is taken in, the next is on its way. */
export async function* scan(
  session: Session,
  prefix: string,
  after: string,
): AsyncGenerator<StoredRecord[], void, undefined> {
  const values = new ValueReader(session);
  const bound = Buffer.from(after);
  const isAfter = (name: string): boolean =>
    Buffer.compare(Buffer.from(session.layout.keyOf(name) as string), bound) > 0;
  let ahead: Promise<StoredRecord[]> | undefined;
  for await (const names of scanPages(session, prefix)) {
    for (const part of values.parts(after === "" ? names : names.filter(isAfter))) {
      const next = values.read(part);
      next.catch(() => undefined);
      const records = await ahead;
      if (records !== undefined && records.length > 0) yield records;
      ahead = next;
    }
  }
  const records = await ahead;
  if (records !== undefined && records.length > 0) yield records;
}

/** The names of all keys with the prefix, page by page, each by partition. */
export async function* scanNames(
  session: Session,
  prefix: string,
): AsyncGenerator<readonly Named[], void, undefined> {
  for await (const names of scanPages(session, prefix)) yield byPartition(session, names);
}

/**
 * The names of all keys with the prefix, each once. A slot that moves between two nodes can hide its keys from a scan of
 * both, so a scan during which one moved goes on with another pass, and tells what is new.
 *
 * A slot that is half-way all the time is scanned twice: keys go one way alone, so what the first pass missed was on
 * the other node when the second began.
 */
async function* scanPages(session: Session, prefix: string): AsyncGenerator<string[], void, undefined> {
  const seen = new SeenNames();
  let before = await slotView(session);
  for (let pass = 1, steady = 0; pass <= PASSES_MAX; pass += 1) {
    for (const master of before.isWhole ? await session.masters() : []) {
      for await (const names of scanServer(session, master, prefix)) {
        const unseen = names.filter((name) => seen.add(name));
        if (unseen.length > 0) yield unseen;
      }
    }
    const after = await slotView(session);
    steady = before.isWhole && before.text === after.text ? steady + 1 : 0;
    if (steady >= (after.isMoving ? 2 : 1)) return;
    before = after;
    if (steady > 0) continue;
    await delay(PASS_AGAIN_MS);
    // A slot may be with a node that held none when the session began.
    await session.refreshTopology();
    before = await slotView(session);
  }
  const message = "slots of the Cluster move from node to node: wait until that has ended, and open again";
  throw new AdapterError(message, { kind: "transient" });
}

async function* scanServer(
  session: Session,
  server: Connection,
  prefix: string,
): AsyncGenerator<string[], void, undefined> {
  const { layout } = session;
  const pattern = layout.pattern(prefix);
  const ask = (cursor: string): Promise<[string, string[]]> =>
    server.call("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT) as Promise<[string, string[]]>;
  let next: Promise<[string, string[]]> | undefined = ask("0");
  while (next !== undefined) {
    const [cursor, names]: [string, string[]] = await next;
    // The server looks for the next ones while the values of these are read.
    next = cursor === "0" ? undefined : ask(cursor);
    next?.catch(() => undefined);
    const ours = names.filter((name) => layout.keyOf(name)?.startsWith(prefix) === true);
    if (ours.length > 0) yield ours;
  }
}

function byPartition({ layout }: Session, names: readonly string[]): Named[] {
  if (layout.partitions === 1) return names.length === 0 ? [] : [{ partition: 0, names }];
  const parts = new Map<number, string[]>();
  for (const name of names) {
    const partition = layout.partitionOf(layout.keyOf(name) as string);
    const part = parts.get(partition);
    if (part === undefined) parts.set(partition, [name]);
    else part.push(name);
  }
  return [...parts].map(([partition, part]) => ({ partition, names: part }));
}

/** Asks for as many values at once as fit a bound, going by the size of those before. */
class ValueReader {
  readonly #session: Session;
  #count = VALUES_MIN;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Cuts names into as many as are asked for at once. */
  *parts(names: readonly string[]): Generator<readonly string[], void, undefined> {
    for (let start = 0; start < names.length; ) {
      const end = start + this.#count;
      yield start === 0 && end >= names.length ? names : names.slice(start, end);
      start = end;
    }
  }

  /** The records that are there. */
  async read(names: readonly string[]): Promise<StoredRecord[]> {
    const parts = byPartition(this.#session, names);
    const found = await Promise.all(parts.map((part) => this.#readPart(part)));
    const records = found.length === 1 ? (found[0] as StoredRecord[]) : found.flat();
    let bytes = 1;
    for (const { value } of records) bytes += value.byteLength;
    const fitting = Math.floor((VALUES_BYTES * names.length) / bytes);
    this.#count = Math.min(VALUES_MAX, Math.max(VALUES_MIN, Math.min(fitting, this.#count * 4)));
    return records;
  }

  async #readPart({ partition, names }: Named): Promise<StoredRecord[]> {
    const { layout } = this.#session;
    const values = await this.#session.values(partition, names);
    const records: StoredRecord[] = [];
    const missing: string[] = [];
    for (let index = 0; index < names.length; index += 1) {
      const name = names[index] as string;
      const value = values[index] ?? null;
      if (value === null) missing.push(name);
      else records.push(decodeRecord(layout.keyOf(name) as string, name, value));
    }
    if (missing.length > 0) await this.#checkTypes(missing);
    return records;
  }

  /** Another program's list, say, has no value that could be read, and is no miss. */
  async #checkTypes(names: readonly string[]): Promise<void> {
    const types = await Promise.all(names.map((name) => this.#session.typeOf(name)));
    const foreign = types.findIndex((type) => type !== "none" && type !== "string");
    if (foreign >= 0) throw foreignValue(names[foreign] as string);
  }
}
