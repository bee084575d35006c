/**
 * Write-through: each mutation reaches the backend first, then memory, and its promise resolves when it is stored.
 * Reads are synchronous, and show the last value that is stored.
 */

import type { Engine } from "./engine.js";
import { Lifecycle } from "./lifecycle.js";
import type { Promised, Reads, Writes } from "./operations.js";
import type { PersistentOptions } from "./options.js";
import { openThrough } from "./persistent-engine.js";

export interface PersistentStorageOptions
  extends Omit<PersistentOptions, "coalesce" | "writeDelay" | "maxSize" | "journal"> {}

export class PersistentStorage<V = unknown>
  extends Lifecycle<V, "promise">
  implements Reads<V>, Promised<Writes<V>>
{
  private constructor(engine: Engine<"promise">) {
    super(engine);
  }

  /**
   * Opens the backend and reads it into memory.
   * @throws TypeError or RangeError for options that make no sense; LEAKDB_OPEN_FAILED, LEAKDB_LOCKED,
   *   LEAKDB_CORRUPTION, LEAKDB_DECODE_FAILED, and nothing stays open
   */
  static async open<V = unknown>(options: PersistentStorageOptions): Promise<PersistentStorage<V>> {
    return new PersistentStorage<V>(await openThrough(options));
  }
}
