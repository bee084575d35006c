/** LeakDB's storages with a journal that is synced for each group; a write is acknowledged when it is `journaled`. */

import { join } from "node:path";
import { DefaultStorage, PersistentQueueStorage } from "@leakdb/core";
import { lmdb } from "@leakdb/lmdb";
import { sqlite } from "@leakdb/sqlite";
import type { BenchValue } from "../../records.js";
import type { AckContestant, MakeAckContestant } from "./ack-contestant.js";

type Storage = DefaultStorage<BenchValue> | PersistentQueueStorage<BenchValue>;

export const makeJournaledDefault: MakeAckContestant = (directory) =>
  JournaledStorage.make(() =>
    DefaultStorage.open<BenchValue>({ journal: { directory: join(directory, "journal"), sync: "always" } }),
  );

export const makeJournaledSqlite: MakeAckContestant = (directory) =>
  JournaledStorage.make(() =>
    PersistentQueueStorage.open<BenchValue>({
      adapter: sqlite({ filename: join(directory, "records.db") }),
      journal: { directory: join(directory, "journal"), sync: "always" },
    }),
  );

export const makeJournaledLmdb: MakeAckContestant = (directory) =>
  JournaledStorage.make(() =>
    PersistentQueueStorage.open<BenchValue>({
      adapter: lmdb({ directory: join(directory, "records") }),
      journal: { directory: join(directory, "journal"), sync: "always" },
    }),
  );

class JournaledStorage implements AckContestant {
  readonly #open: () => Promise<Storage>;
  readonly #storage: Storage;

  private constructor(open: () => Promise<Storage>, storage: Storage) {
    this.#open = open;
    this.#storage = storage;
  }

  static async make(open: () => Promise<Storage>): Promise<AckContestant> {
    return new JournaledStorage(open, await open());
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
