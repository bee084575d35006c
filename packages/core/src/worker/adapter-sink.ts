/** The sink of the persistent storages: encodes items, and writes them to the adapter as its mutations. */

import { AdapterError, type Mutation } from "../adapter.js";
import type { Codec } from "../codec/codec.js";
import { encodeValue } from "../codec/encoded-value.js";
import { LeakDBError } from "../errors.js";
import type { Item } from "../queue/item.js";
import { asError } from "../thrown.js";
import type { AdapterSession } from "./adapter-session.js";
import type { Failed, Sink, SinkResult } from "./sink.js";

/** What a record costs beside its key and value, as far as the size of a batch is concerned. */
export const RECORD_OVERHEAD_BYTES = 32;

export class AdapterSink implements Sink {
  readonly #session: AdapterSession;
  readonly #codec: Codec;
  readonly #onWritten: (batch: readonly Item[]) => void;

  constructor(session: AdapterSession, codec: Codec, onWritten: (batch: readonly Item[]) => void) {
    this.#session = session;
    this.#codec = codec;
    this.#onWritten = onWritten;
  }

  prepare(item: Item): number {
    if (item.parts !== undefined) return item.parts.reduce((bytes, part) => bytes + this.prepare(part), 0);
    if (item.type !== "put") return item.key.length + RECORD_OVERHEAD_BYTES;
    const bytes = encodeValue(item.value, this.#codec);
    const { maxValueBytes } = this.#session.adapter.capabilities;
    if (bytes.byteLength > maxValueBytes) {
      throw new LeakDBError(
        "LEAKDB_ADAPTER_REJECTED",
        `the value is ${bytes.byteLength} bytes when encoded; ${this.#session.adapter.name} takes ${maxValueBytes}`,
      );
    }
    item.value = bytes;
    return bytes.byteLength + item.key.length + RECORD_OVERHEAD_BYTES;
  }

  async write(batch: readonly Item[]): Promise<SinkResult> {
    const mutations: Mutation[] = [];
    /** The item of each mutation, where a `setMulti` makes them differ. */
    const owners: number[] = [];
    for (const [index, item] of batch.entries()) {
      for (const part of item.parts ?? [item]) {
        mutations.push(mutationOf(part));
        owners.push(index);
      }
    }
    const { rejected = [] } = await this.#session.write(mutations);
    this.#onWritten(batch);
    if (rejected.length === 0) return {};
    return { rejected: rejectedItems(batch, owners, rejected) };
  }

  ready(): Promise<void> | undefined {
    return this.#session.ready();
  }

  recover(error: unknown): Promise<void> {
    return this.#session.reopen(error);
  }

  /** A backend that is down may well be "opened", where opening asks nothing of it; a read asks. */
  async isUp(batch: readonly Item[]): Promise<boolean> {
    if (batch.length > 1) return false;
    try {
      await this.#session.load(batch.map((item) => item.key));
      return true;
    } catch {
      // The write's own failure has been reported; that the read fails too only answers the question.
      return false;
    }
  }
}

function mutationOf(item: Item): Mutation {
  const { type, key, version } = item;
  if (type === "put")
    return { type, key, value: item.value as Uint8Array, version, expiresAt: item.expiresAt };
  return type === "delete" ? { type, key, version } : { type, prefix: key, version };
}

/** The adapter names mutations; the lane knows items. A `setMulti` of which some were refused says which were not. */
function rejectedItems(
  batch: readonly Item[],
  owners: readonly number[],
  rejected: readonly { readonly index: number; readonly error: Error }[],
): Failed[] {
  const byItem = new Map<number, { firstMutation: number; mutations: Set<number>; error: Error }>();
  for (const { index, error } of rejected) {
    const owner = owners[index];
    if (owner === undefined) {
      throw new AdapterError(`the adapter rejected mutation ${index} of a batch of ${owners.length}`, {
        kind: "ambiguous",
      });
    }
    const known = byItem.get(owner);
    if (known) known.mutations.add(index);
    else
      byItem.set(owner, {
        firstMutation: owners.indexOf(owner),
        mutations: new Set([index]),
        error: asError(error),
      });
  }
  return [...byItem].map(([index, { firstMutation, mutations, error }]) => {
    const parts = batch[index]?.parts;
    if (parts === undefined) return { index, error };
    const applied = parts.filter((_, part) => !mutations.has(firstMutation + part)).map((part) => part.key);
    const refused = parts.length - applied.length;
    const message = `${refused} of ${parts.length} entries were refused; "applied" lists those that were stored`;
    return { index, error: new LeakDBError("LEAKDB_ADAPTER_REJECTED", message, { cause: error, applied }) };
  });
}
