/**
 * A session store with the four calls a web framework makes: `get`, `set`, `destroy`, `touch`. Reads and writes are
 * answered from memory; SQLite follows behind, so that logins survive a deployment.
 *
 * Two choices carry it:
 * - `values: "copied"`. Frameworks change the session object they were given while they answer the request, and keep
 *   it. A copy on each `get` and `set` means that nobody changes a session but by `set`.
 * - The TTL is the session's life. `touch` gives it a new one and leaves the session alone, so it rolls on with each
 *   request; an expired session is a miss, after a restart as well.
 */

import { type Clock, PersistentQueueStorage } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";

export interface SessionStoreOptions {
  filename: string;
  /** Milliseconds without a request after which a session is gone. Default 30 minutes. */
  idleLimitMs?: number;
  clock?: Clock;
}

const HALF_AN_HOUR_MS = 30 * 60 * 1_000;

export class SessionStore<Session extends object> {
  readonly #sessions: PersistentQueueStorage<Session>;
  readonly #idleLimitMs: number;

  private constructor(sessions: PersistentQueueStorage<Session>, idleLimitMs: number) {
    this.#sessions = sessions;
    this.#idleLimitMs = idleLimitMs;
  }

  static async open<Session extends object>(options: SessionStoreOptions): Promise<SessionStore<Session>> {
    const { filename, idleLimitMs = HALF_AN_HOUR_MS, clock } = options;
    const adapter = sqlite({ filename });
    const sessions = await PersistentQueueStorage.open<Session>({ adapter, values: "copied", clock });
    return new SessionStore(sessions, idleLimitMs);
  }

  /** The session, as a copy of its own; `undefined` when there is none, or it has expired. */
  get(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  /** Keeps the session as it is now, for another `idleLimitMs`; the version is for `stored`. */
  set(id: string, session: Session): number {
    return this.#sessions.set(id, session, { ttl: this.#idleLimitMs });
  }

  /** The session goes on for another `idleLimitMs`; false when it is gone. */
  touch(id: string): boolean {
    return this.#sessions.touch(id, { ttl: this.#idleLimitMs });
  }

  /** False when there was none. */
  destroy(id: string): boolean {
    return this.#sessions.delete(id);
  }

  /** Sessions that are alive. */
  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Resolves when what `set` answered with this version is in SQLite: for the few sessions, as after a payment, that
   * must not be lost even when the process dies in the next 100 milliseconds.
   */
  stored(id: string, version: number): Promise<void> {
    return this.#sessions.persisted(version, "stored", { key: id });
  }

  /** Stores what waits. */
  flush(): Promise<void> {
    return this.#sessions.flush();
  }

  /** Stores what waits, and lets go of the file. */
  close(): Promise<void> {
    return this.#sessions.close();
  }
}
