/**
 * Writes and reads that go on while a test does something to the server, and the proof that none was lost: after a flush the
 * server holds what memory holds, though only what was not acknowledged had been sent again.
 */

import type { PersistentQueueStorage } from "@leakdb/core";
import type { RedisAdapterOptions } from "@leakdb/redis";
import { expect } from "vitest";
import { storedNow } from "./standalone-servers.js";

const EVERY_MS = 2;
const KEYS = 500;

type Contents = Readonly<Record<string, number>>;

export class Traffic {
  readonly #storage: PersistentQueueStorage<number>;
  #timer: NodeJS.Timeout | undefined;
  #count = 0;
  #failure: unknown;

  constructor(storage: PersistentQueueStorage<number>) {
    this.#storage = storage;
    this.#timer = setInterval(() => this.#turn(), EVERY_MS);
  }

  /** How many turns there were: each writes a new key or rewrites one, and reads it back. */
  get count(): number {
    return this.#count;
  }

  /** Resolves when so many more turns have gone by. */
  async more(turns: number): Promise<void> {
    const end = this.#count + turns;
    await expect
      .poll(() => this.#count >= end || this.#failure !== undefined, { timeout: 60_000 })
      .toBe(true);
  }

  /** Stops, and proves that what memory holds is stored, for the next owner to find. */
  async mustBeStored(options: RedisAdapterOptions): Promise<void> {
    const { memory, stored } = await this.end(options);
    expect(stored).toEqual(memory);
  }

  /** Stops. @returns what memory held after a flush, and what the next owner finds */
  async end(options: RedisAdapterOptions): Promise<{ memory: Contents; stored: Contents }> {
    clearInterval(this.#timer);
    if (this.#failure !== undefined) throw this.#failure;
    await this.#storage.flush({ timeout: 60_000 });
    expect(this.#storage.deadLetters()).toEqual([]);
    const memory = Object.fromEntries(this.#storage.entries());
    await this.#storage.close();
    return { memory, stored: await storedNow(options) };
  }

  /** Memory answers at once, whatever becomes of the server: these calls are synchronous. */
  #turn(): void {
    try {
      this.#count += 1;
      const [key, old] = [`key ${this.#count % KEYS}`, `key ${(this.#count + 1) % KEYS}`];
      this.#storage.set(key, this.#count);
      this.#storage.set("count", this.#count);
      if (this.#count % 7 === 0) this.#storage.delete(old);
      expect(this.#storage.get(key)).toBe(this.#count);
      expect(this.#storage.has(old) && this.#count % 7 === 0).toBe(false);
    } catch (error) {
      this.#failure ??= error;
      clearInterval(this.#timer);
    }
  }
}
