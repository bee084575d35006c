/**
 * A sink behind a journal: a batch goes only once the journal holds all of it. So whatever a crash leaves of the journal is
 * never behind the backend, and a delete that the backend has forgotten is not undone by an older put in the journal (I3).
 */

import type { Item } from "../queue/item.js";
import type { Sink, SinkResult } from "./sink.js";

export class JournaledSink implements Sink {
  readonly #sink: Sink;
  readonly #gate: (version: number) => Promise<void> | undefined;

  /** `gate` resolves when mutations up to the version may go. */
  constructor(sink: Sink, gate: (version: number) => Promise<void> | undefined) {
    this.#sink = sink;
    this.#gate = gate;
  }

  prepare(item: Item): number {
    return this.#sink.prepare(item);
  }

  async write(batch: readonly Item[]): Promise<SinkResult> {
    let newest = 0;
    for (const { version } of batch) if (version > newest) newest = version;
    await this.#gate(newest);
    return this.#sink.write(batch);
  }

  ready(): Promise<void> | undefined {
    return this.#sink.ready();
  }

  recover(error: unknown): Promise<void> {
    return this.#sink.recover(error);
  }

  isUp(batch: readonly Item[]): Promise<boolean> {
    return this.#sink.isUp(batch);
  }
}
