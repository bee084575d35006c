/**
 * Sends a batch as scripts, each of some hundred records of one partition, so that no server is held up for longer than
 * a few milliseconds, nor this event loop. What comes before a clear is answered before the clear begins.
 */

import { setImmediate as turn } from "node:timers/promises";
import {
  AdapterError,
  type Clock,
  type FailureKind,
  type Mutation,
  type WriteResult,
} from "@leakdb/core/adapter";
import { type Acknowledged, Loss } from "./acknowledged.js";
import type { Named } from "./reader.js";
import { encodeRecord, foreignValue, RECORD_OVERHEAD_BYTES, versionText } from "./record.js";
import { isReplyError, kindOf, redisError } from "./redis-errors.js";
import { WRITE } from "./scripts.js";
import type { Session } from "./session.js";

type Put = Extract<Mutation, { type: "put" }>;
type Delete = Extract<Mutation, { type: "delete" }>;
type Clear = Extract<Mutation, { type: "clear" }>;

/** Lua's stack holds some thousand values, two for each record that is written. */
const RECORDS_MAX = 1_000;
const BYTES_MAX = 1024 * 1024;
/** Records that are made ready in one turn of the event loop. */
const TURN_RECORDS = 1_000;
/**
 * How long after its moment the server drops a record by itself. Core never asks for it again; but this machine's clock
 * and the server's may run apart, and dropped too early it would be lost.
 */
const EXPIRY_MARGIN_MS = 60_000;

interface Chunk {
  readonly partition: number;
  readonly puts: Put[];
  readonly deletes: Delete[];
  bytes: number;
}

/** How a script ended. */
type Outcome = { readonly ok: true } | { readonly ok: false; readonly error: unknown };

export interface WriteOptions {
  /** Of the store, for messages. */
  readonly name: string;
  readonly session: Session;
  readonly epoch: string;
  readonly lane: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly acknowledged: Acknowledged;
  /** Told of what was acknowledged before and is not there. */
  onLoss(loss: Loss): void;
  /** Makes an error of an answer that is not `OK`. */
  onRefusal(answer: readonly string[]): AdapterError;
  /** The names of all keys with the prefix, page by page, each by partition. */
  names(prefix: string): AsyncIterable<readonly Named[]>;
}

export class BatchWriter {
  readonly #options: WriteOptions;
  /** What was not stored, as another program's value is there. */
  readonly #rejected = new Map<Put | Delete, Error>();
  readonly #loss = new Loss();
  #applied = 0;
  #sent = 0;

  constructor(options: WriteOptions) {
    this.#options = options;
  }

  /** @throws AdapterError whose kind counts the whole batch: `transient` and `permanent` when nothing of it was applied. */
  async write(batch: readonly Mutation[]): Promise<NonNullable<WriteResult["rejected"]>> {
    const { signal } = this.#options;
    let fail = (): void => undefined;
    const aborted = new Promise<never>((_, reject) => {
      fail = () => reject(signal.reason);
      signal.addEventListener("abort", fail, { once: true });
    });
    aborted.catch(() => undefined);
    try {
      signal.throwIfAborted();
      await Promise.race([this.#writeAll(batch), aborted]);
      return batch.flatMap((mutation, index) => {
        const error = this.#rejected.get(mutation as Put | Delete);
        return error === undefined ? [] : [{ index, error }];
      });
    } catch (error) {
      throw this.#failure(error);
    } finally {
      signal.removeEventListener("abort", fail);
      if (!this.#loss.isNone) this.#options.onLoss(this.#loss);
    }
  }

  async #writeAll(batch: readonly Mutation[]): Promise<void> {
    let keyed: (Put | Delete)[] = [];
    for (const mutation of batch) {
      if (mutation.type !== "clear") {
        keyed.push(mutation);
        continue;
      }
      await this.#writeKeyed(keyed);
      keyed = [];
      await this.#clear(mutation);
    }
    await this.#writeKeyed(keyed);
  }

  #failure(error: unknown): AdapterError {
    const { signal, name } = this.#options;
    if (signal.aborted && error === signal.reason) {
      return new AdapterError(`${name}: the write was given up`, {
        kind: this.#sent === 0 ? "transient" : "ambiguous",
        cause: error,
      });
    }
    if (this.#applied > 0) return redisError(name, "write", error, "ambiguous");
    // Whatever the server refuses, it is the connection or its user, and not what was to be written.
    return redisError(name, "write", error, isReplyError(error) ? transientOr(kindOf(error)) : undefined);
  }

  async #writeKeyed(mutations: readonly (Put | Delete)[]): Promise<void> {
    const outcomes: Promise<Outcome>[] = [];
    let failed: { readonly error: unknown } | undefined;
    let prepared = 0;
    for (const chunk of this.#chunks(mutations)) {
      const outcome = this.#send(chunk);
      outcomes.push(outcome);
      void outcome.then((each) => {
        if (!each.ok) failed ??= each;
      });
      prepared += chunk.puts.length + chunk.deletes.length;
      if (prepared < TURN_RECORDS) continue;
      prepared = 0;
      await turn();
      this.#options.signal.throwIfAborted();
      if (failed !== undefined) break;
    }
    const errors = (await Promise.all(outcomes)).flatMap((each) => (each.ok ? [] : [each.error]));
    if (errors.length === 0) return;
    // One that nobody knows the outcome of counts most.
    throw errors.find((error) => kindOf(error) === "ambiguous") ?? errors[0];
  }

  *#chunks(mutations: readonly (Put | Delete)[]): Generator<Chunk> {
    const { layout } = this.#options.session;
    const filling = new Map<number, Chunk>();
    for (const mutation of mutations) {
      const partition = layout.partitionOf(mutation.key);
      let chunk = filling.get(partition);
      if (chunk === undefined) {
        chunk = { partition, puts: [], deletes: [], bytes: 0 };
        filling.set(partition, chunk);
      }
      if (mutation.type === "put") chunk.puts.push(mutation);
      else chunk.deletes.push(mutation);
      chunk.bytes += mutation.key.length + RECORD_OVERHEAD_BYTES;
      if (mutation.type === "put") chunk.bytes += mutation.value.byteLength;
      if (chunk.puts.length + chunk.deletes.length < RECORDS_MAX && chunk.bytes < BYTES_MAX) continue;
      filling.delete(partition);
      yield chunk;
    }
    yield* filling.values();
  }

  #send({ partition, puts, deletes }: Chunk): Promise<Outcome> {
    const { session, clock } = this.#options;
    const { layout } = session;
    const keys = [layout.markOf(partition)];
    const records: (string | number | Buffer)[] = [];
    const expiries: (string | number)[] = [];
    let high = 0;
    for (const [index, { key, value, version, expiresAt }] of puts.entries()) {
      keys.push(layout.nameOf(partition, key));
      records.push(encodeRecord(value, version, expiresAt));
      if (version > high) high = version;
      if (expiresAt === 0) continue;
      const leftMs = Math.max(0, expiresAt - clock.now()) + EXPIRY_MARGIN_MS;
      if (leftMs < Number.MAX_SAFE_INTEGER / 2) expiries.push(index + 1, leftMs);
    }
    for (const { key, version } of deletes) {
      keys.push(layout.nameOf(partition, key));
      records.push(versionText(version));
      if (version > high) high = version;
    }
    return this.#run(partition, keys, high, [puts.length, ...records, ...expiries], [...puts, ...deletes]);
  }

  /** @param high the highest version in `args` */
  async #run(
    partition: number,
    keys: readonly string[],
    high: number,
    args: readonly (string | number | Buffer)[],
    mutations: readonly (Put | Delete)[] = [],
  ): Promise<Outcome> {
    const { session, lane, epoch, acknowledged, onRefusal } = this.#options;
    const before = acknowledged.highOf(partition);
    this.#sent += 1;
    try {
      const answer = await session.run(lane, partition, WRITE, keys, [epoch, high, ...args]);
      const [outcome, highBefore, ...foreign] = answer;
      if (outcome !== "OK") return { ok: false, error: onRefusal(answer) };
      for (const number of foreign) {
        const mutation = mutations[Number(number) - 1];
        // A clear leaves alone what is no record; the next opening tells of it.
        if (mutation !== undefined)
          this.#rejected.set(mutation, foreignValue(keys[Number(number)] as string));
      }
      this.#applied += 1;
      this.#loss.note(Number(highBefore), before);
      acknowledged.note(partition, high);
      return { ok: true };
    } catch (error) {
      return { ok: false, error };
    }
  }

  /** Removes what is older than the clear, page by page, after its version is safe. */
  async #clear({ prefix, version }: Clear): Promise<void> {
    const { session, names } = this.#options;
    const mark = [session.layout.markOf(0)];
    throwFailure(await this.#run(0, mark, version, [0]));
    const older = versionText(version - 1);
    for await (const page of names(prefix)) {
      const outcomes = page.map((part) => {
        const keys = [session.layout.markOf(part.partition), ...part.names];
        return this.#run(part.partition, keys, 0, [0, ...part.names.map(() => older)]);
      });
      for (const outcome of await Promise.all(outcomes)) throwFailure(outcome);
      this.#options.signal.throwIfAborted();
    }
  }
}

function transientOr(kind: FailureKind): FailureKind {
  return kind === "permanent" ? "transient" : kind;
}

function throwFailure(outcome: Outcome): void {
  if (!outcome.ok) throw outcome.error;
}
