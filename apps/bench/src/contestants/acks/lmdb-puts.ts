/**
 * lmdb with its defaults: asynchronous puts, which it commits in groups by itself, each awaited until it is flushed. In two
 * forms: awaited, and then the store's `flushed`, as most would write it; and the commit's own `flushed`, a
 * promise that all of a commit share.
 */

import { join } from "node:path";
import { msgpackCodec } from "@leakdb/core";
import { open, type RootDatabase } from "lmdb";
import type { BenchValue } from "../../records.js";
import type { AckContestant } from "./ack-contestant.js";

export async function makeLmdbPuts(directory: string): Promise<AckContestant> {
  return new LmdbPuts(join(directory, "records"), false);
}

export async function makeLmdbPutsFlushed(directory: string): Promise<AckContestant> {
  return new LmdbPuts(join(directory, "records"), true);
}

class LmdbPuts implements AckContestant {
  readonly #path: string;
  readonly #separateFlushed: boolean;
  readonly #codec = msgpackCodec();
  readonly #records: RootDatabase<Uint8Array, string>;

  constructor(path: string, separateFlushed: boolean) {
    this.#path = path;
    this.#separateFlushed = separateFlushed;
    this.#records = this.#open();
  }

  write(key: string, value: BenchValue): PromiseLike<unknown> {
    const committed = this.#records.put(key, this.#codec.encode(value));
    if (this.#separateFlushed) return (committed as unknown as { flushed: Promise<unknown> }).flushed;
    return this.#flushed(committed);
  }

  async readBack(): Promise<ReadonlyMap<string, BenchValue>> {
    await this.#records.close();
    const records = this.#open();
    const found = new Map<string, BenchValue>();
    for (const { key, value } of records.getRange()) {
      found.set(key, this.#codec.decode(Buffer.from(value)) as BenchValue);
    }
    await records.close();
    return found;
  }

  async #flushed(committed: Promise<boolean>): Promise<void> {
    await committed;
    await this.#records.flushed;
  }

  #open(): RootDatabase<Uint8Array, string> {
    const separateFlushed = this.#separateFlushed;
    return open<Uint8Array, string>({
      path: this.#path,
      encoding: "binary",
      ...(separateFlushed ? { separateFlushed } : {}),
    });
  }
}
