/**
 * Memory: a `Map` with TTL, counters, compare-and-set and namespaces. Nothing survives the process, unless it is opened
 * with a journal, which is then its only persistence.
 */

import { type Engine, memoryEngine, openMemory } from "./engine.js";
import { Lifecycle } from "./lifecycle.js";
import type { Reads, Writes } from "./operations.js";
import type { JournaledOptions, MemoryOptions } from "./options.js";

export interface DefaultStorageOptions extends MemoryOptions, JournaledOptions {}

/** The engine that `open` hands to the constructor. */
const OPENED = Symbol("opened");

export class DefaultStorage<V = unknown> extends Lifecycle<V, "sync"> implements Reads<V>, Writes<V> {
  /** @throws TypeError for options that make no sense, and for a journal, which `open` takes */
  constructor(options: DefaultStorageOptions = {}) {
    super((options as { [OPENED]?: Engine<"sync"> })[OPENED] ?? memoryEngine(options));
  }

  /**
   * As `new`; with a journal, reads that into memory first.
   * @throws TypeError or RangeError for options that make no sense; LEAKDB_OPEN_FAILED, LEAKDB_LOCKED,
   *   LEAKDB_CORRUPTION, LEAKDB_DECODE_FAILED, and nothing stays open
   */
  static async open<V = unknown>(options: DefaultStorageOptions = {}): Promise<DefaultStorage<V>> {
    const opened: DefaultStorageOptions & { [OPENED]: Engine<"sync"> } = {
      [OPENED]: await openMemory(options),
    };
    return new DefaultStorage<V>(opened);
  }
}
