/** Every event of a storage, in order, for tests that expect which fired and with what. */

import type { StorageEvents, StorageListener } from "@leakdb/core";

interface Emitter {
  on<Name extends keyof StorageEvents>(name: Name, listener: StorageListener<Name>): unknown;
}

const NAMES = ["drain", "flush", "retry", "deadLetter", "fault", "close"] as const;

export class EventLog {
  /** The names in the order in which they fired. */
  readonly names: (keyof StorageEvents)[] = [];
  readonly #payloads = new Map<keyof StorageEvents, unknown[]>();

  constructor(emitter: Emitter) {
    for (const name of NAMES) {
      emitter.on(name, (...args: unknown[]) => {
        this.names.push(name);
        this.#payloads.set(name, [...(this.#payloads.get(name) ?? []), args[0]]);
      });
    }
  }

  /** The payloads of one event, the first to fire first. */
  of<Name extends keyof StorageEvents>(name: Name): StorageEvents[Name][0][] {
    return (this.#payloads.get(name) ?? []) as StorageEvents[Name][0][];
  }
}
