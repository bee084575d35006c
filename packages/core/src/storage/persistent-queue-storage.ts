/**
 * Write-behind: memory changes at the call, at `Map` speed; a queue and workers bring the changes to the backend.
 * What has not been stored when the process dies is lost, unless a journal has it: await `persisted` or `flush` where that
 * matters.
 */

import type { Engine } from "./engine.js";
import { Lifecycle } from "./lifecycle.js";
import type { Reads, Writes } from "./operations.js";
import type { PersistentOptions } from "./options.js";
import { openBehind } from "./persistent-engine.js";

export interface PersistentQueueStorageOptions extends PersistentOptions {}

export class PersistentQueueStorage<V = unknown> extends Lifecycle<V, "sync"> implements Reads<V>, Writes<V> {
  private constructor(engine: Engine<"sync">) {
    super(engine);
  }

  /**
   * Opens the backend and reads it into memory.
   * @throws TypeError or RangeError for options that make no sense; LEAKDB_OPEN_FAILED, LEAKDB_LOCKED,
   *   LEAKDB_CORRUPTION, LEAKDB_DECODE_FAILED, and nothing stays open
   */
  static async open<V = unknown>(options: PersistentQueueStorageOptions): Promise<PersistentQueueStorage<V>> {
    return new PersistentQueueStorage<V>(await openBehind(options));
  }
}
