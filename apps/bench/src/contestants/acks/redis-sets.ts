/** Redis with `appendfsync always`, and ioredis, which sends the commands of a turn together. */

import { msgpackCodec } from "@leakdb/core";
import { type RedisServer, startStandalone } from "@leakdb/redis-servers";
import { Redis } from "ioredis";
import type { BenchValue } from "../../records.js";
import type { AckContestant } from "./ack-contestant.js";

const READ_BATCH = 1_000;

export async function makeRedisSets(): Promise<AckContestant> {
  return new RedisSets(await startStandalone({ appendOnly: true, appendFsync: "always" }));
}

class RedisSets implements AckContestant {
  readonly #server: RedisServer;
  readonly #client: Redis;
  readonly #codec = msgpackCodec();

  constructor(server: RedisServer) {
    this.#server = server;
    this.#client = new Redis(server.url, { enableAutoPipelining: true });
  }

  write(key: string, value: BenchValue): Promise<unknown> {
    const { buffer, byteOffset, byteLength } = this.#codec.encode(value);
    return this.#client.set(key, Buffer.from(buffer, byteOffset, byteLength));
  }

  /** The server is killed: what is there afterwards was in its file. */
  async readBack(): Promise<ReadonlyMap<string, BenchValue>> {
    this.#client.disconnect();
    await this.#server.kill();
    await this.#server.restart();
    const client = new Redis(this.#server.url);
    const keys = await client.keys("*");
    const found = new Map<string, BenchValue>();
    for (let from = 0; from < keys.length; from += READ_BATCH) {
      const batch = keys.slice(from, from + READ_BATCH);
      for (const [index, bytes] of (await client.mgetBuffer(batch)).entries()) {
        if (bytes !== null) found.set(batch[index] as string, this.#codec.decode(bytes) as BenchValue);
      }
    }
    await client.quit();
    await this.#server.stop();
    return found;
  }
}
