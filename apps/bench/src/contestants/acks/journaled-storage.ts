/** LeakDB's storages with a journal that is synced for each group; a write is acknowledged when it is `journaled`. */

import type { BenchValue } from "../../records.js";
import { type AnyStorage, openJournaled, type StorageName } from "../journaled.js";
import type { AckContestant, MakeAckContestant } from "./ack-contestant.js";

export function makeJournaled(name: StorageName): MakeAckContestant {
  return async (directory) => {
    const open = (): Promise<AnyStorage> => openJournaled(name, "always", directory);
    return new JournaledStorage(open, await open());
  };
}

class JournaledStorage implements AckContestant {
  readonly #open: () => Promise<AnyStorage>;
  readonly #storage: AnyStorage;

  constructor(open: () => Promise<AnyStorage>, storage: AnyStorage) {
    this.#open = open;
    this.#storage = storage;
  }

  write(key: string, value: BenchValue): Promise<void> {
    const storage = this.#storage;
    return storage.persisted(storage.set(key, value), "journaled");
  }

  async readBack(): Promise<ReadonlyMap<string, BenchValue>> {
    await this.#storage.close();
    const storage = await this.#open();
    const found = new Map(storage.entries());
    await storage.close();
    return found;
  }
}
