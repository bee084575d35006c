/** Memory only: a `Map` with TTL, counters, compare-and-set and namespaces. Nothing survives the process. */

import { memoryEngine } from "./engine.js";
import { Lifecycle } from "./lifecycle.js";
import type { Reads, Writes } from "./operations.js";
import type { MemoryOptions } from "./options.js";

export interface DefaultStorageOptions extends MemoryOptions {}

export class DefaultStorage<V = unknown> extends Lifecycle<V, "sync"> implements Reads<V>, Writes<V> {
  /** @throws TypeError for options that make no sense */
  constructor(options: DefaultStorageOptions = {}) {
    super(memoryEngine(options));
  }

  /** As `new`, for code that treats all storages alike. */
  static async open<V = unknown>(options: DefaultStorageOptions = {}): Promise<DefaultStorage<V>> {
    return new DefaultStorage<V>(options);
  }
}
