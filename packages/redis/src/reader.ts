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

/** How many entries of its table a server looks at for one answer. */
const SCAN_COUNT = 1_000;
/** How many bytes of values are asked for at once, as far as the ones before let foresee. */
const VALUES_BYTES = 4 * 1024 * 1024;
const VALUES_MIN = 8;
const VALUES_MAX = 1_000;
/** How often a scan begins anew because slots moved meanwhile. */
const PASSES_MAX = 50;
const PASS_AGAIN_MS = 100;

interface Named {
  readonly partition: number;
  readonly names: string[];
}

/** The records in the order of the keys. */
export async function load(session: Session, keys: readonly string[]): Promise<(StoredRecord | undefined)[]> {
  const { layout } = session;
  const found = new Map<string, StoredRecord>();
  const values = new ValueReader(session);
  for (const { partition, names } of byPartition(
    session,
    keys.map((key) => layout.nameOf(layout.partitionOf(key), key)),
  )) {
    for await (const page of values.read(partition, names))
      for (const record of page) found.set(record.key, record);
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

/** Every record of the prefix whose key is greater than `after`, once. */
export async function* scan(
  session: Session,
  prefix: string,
  after: string,
): AsyncGenerator<StoredRecord[], void, undefined> {
  const values = new ValueReader(session);
  const bound = Buffer.from(after);
  const isAfter = (key: string): boolean => after === "" || Buffer.compare(Buffer.from(key), bound) > 0;
  for await (const { partition, names } of scanNames(session, prefix)) {
    const wanted = names.filter((name) => isAfter(session.layout.keyOf(name) as string));
    yield* values.read(partition, wanted);
  }
}

/**
 * The names of all keys with the prefix, by partition and page. A slot that moves between two nodes can hide its keys from a
 * scan of both, so a scan that saw one move begins again, and tells what is new.
 */
export async function* scanNames(session: Session, prefix: string): AsyncGenerator<Named, void, undefined> {
  const seen = new SeenNames();
  for (let pass = 1; pass <= PASSES_MAX; pass += 1) {
    const before = await slotsOf(session);
    for (const master of await session.masters()) {
      for await (const names of scanServer(session, master, prefix)) {
        yield* byPartition(
          session,
          names.filter((name) => seen.add(name)),
        );
      }
    }
    if (before === (await slotsOf(session)) && !before.includes("[")) return;
    await delay(PASS_AGAIN_MS);
  }
  const message = "slots of the Cluster move from node to node: wait until that has ended, and open again";
  throw new AdapterError(message, { kind: "transient" });
}

/** Which master has which slots, as each of them says; a slot that is on its way stands in brackets. */
async function slotsOf(session: Session): Promise<string> {
  if (!session.topology.isCluster) return "";
  const own = await Promise.all(
    (await session.masters()).map(async (master) => {
      const lines = String(await master.call("CLUSTER", "NODES")).split("\n");
      const [id, , flags = "", , , , , , ...slots] =
        lines.find((line) => line.includes("myself"))?.split(" ") ?? [];
      return `${id} ${flags.includes("master")} ${slots.join(" ")}`;
    }),
  );
  return own.sort().join("\n");
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
  if (layout.partitions === 1) return names.length === 0 ? [] : [{ partition: 0, names: [...names] }];
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

  async *read(partition: number, names: readonly string[]): AsyncGenerator<StoredRecord[], void, undefined> {
    const { layout } = this.#session;
    for (let start = 0; start < names.length; ) {
      const part = names.slice(start, start + this.#count);
      start += part.length;
      const values = await this.#session.values(partition, part);
      const records: StoredRecord[] = [];
      let bytes = 0;
      await this.#checkTypes(
        partition,
        part.filter((_, index) => values[index] === null),
      );
      for (const [index, value] of values.entries()) {
        if (value === null) continue;
        const name = part[index] as string;
        bytes += value.byteLength;
        records.push(decodeRecord(layout.keyOf(name) as string, name, value));
      }
      const fitting = Math.floor((VALUES_BYTES * part.length) / Math.max(1, bytes));
      this.#count = Math.min(VALUES_MAX, Math.max(VALUES_MIN, Math.min(fitting, this.#count * 4)));
      if (records.length > 0) yield records;
    }
  }

  /** Another program's list, say, has no value that could be read, and is no miss. */
  async #checkTypes(partition: number, names: readonly string[]): Promise<void> {
    const types = await Promise.all(names.map((name) => this.#session.typeOf(partition, name)));
    const foreign = types.findIndex((type) => type !== "none" && type !== "string");
    if (foreign >= 0) throw foreignValue(names[foreign] as string);
  }
}
