/**
 * A rate limiter: each client may make `limit` requests in a window, which begins with the client's first one.
 *
 * All of it is one `incr`. The TTL is given when the counter is made and kept by every later `incr`, so the counter
 * vanishes at the end of its window by itself, and the next request makes a new one. Each decision is made in memory;
 * a busy client's counter is written to SQLite once a batch, however often it moved in between.
 *
 * A restart does not reset the limits. A crash forgets what was counted in the last `writeDelay` (100 ms): for a
 * limiter that is the better bargain than a disk write a request.
 */

import { type Clock, PersistentQueueStorage, systemClock } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";

export interface RateLimiterOptions {
  filename: string;
  /** Requests a client may make in a window. */
  limit: number;
  windowMs: number;
  clock?: Clock;
}

/** What the headers of an answer say: `RateLimit-Remaining`, `Retry-After`. */
export interface Decision {
  readonly isAllowed: boolean;
  readonly remaining: number;
  /** Milliseconds until the client's window ends. */
  readonly resetMs: number;
}

export class RateLimiter {
  readonly #counters: PersistentQueueStorage<number>;
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #clock: Clock;

  private constructor(counters: PersistentQueueStorage<number>, options: RateLimiterOptions) {
    this.#counters = counters;
    this.#limit = options.limit;
    this.#windowMs = options.windowMs;
    this.#clock = options.clock ?? systemClock;
  }

  static async open(options: RateLimiterOptions): Promise<RateLimiter> {
    const { filename, clock } = options;
    const counters = await PersistentQueueStorage.open<number>({ adapter: sqlite({ filename }), clock });
    return new RateLimiter(counters, options);
  }

  /** Counts one request of the client, and says whether it may be served. */
  request(client: string): Decision {
    const requests = this.#counters.incr(client, { ttl: this.#windowMs });
    const endsAt = this.#counters.getEntry(client)?.expiresAt;
    return {
      isAllowed: requests <= this.#limit,
      remaining: Math.max(0, this.#limit - requests),
      resetMs: endsAt === undefined ? 0 : Math.max(0, endsAt - this.#clock.now()),
    };
  }

  /** Gives a client all its requests back, as support staff may. */
  pardon(client: string): boolean {
    return this.#counters.delete(client);
  }

  /** Clients with a window that has not ended. */
  get clients(): number {
    return this.#counters.size;
  }

  /** Writes to SQLite that the counting took so far, and those it would have taken one by one. */
  get writes(): { stored: number; spared: number } {
    const { stored = 0, coalesced = 0 } = this.#counters.stats().queue ?? {};
    return { stored, spared: coalesced };
  }

  flush(): Promise<void> {
    return this.#counters.flush();
  }

  close(): Promise<void> {
    return this.#counters.close();
  }
}
