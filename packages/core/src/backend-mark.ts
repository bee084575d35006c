/**
 * What a running store knows of its backend, so that every opening after the first finds out whether it is still the
 * same one, as this owner left it. The session keeps one over its reopenings, an adapter on a thread one over the lives
 * of its thread: between a close, or a death, and the next opening nobody held the backend's lock. A leaf.
 *
 *     where the backend's highest version is found again:
 *
 *     ─────────────── stored ─────────────────────── sent ───────────────▶ versions
 *       LEAKDB_CORRUPTION │ ours, as far as is known   │ LEAKDB_FENCED
 *       what was stored   │ of what got no answer, or  │ nobody here has
 *       is gone           │ was refused: all, some, or │ ever sent it
 *                         │ nothing                    │
 *
 * It errs on the side of going on: a version is `sent` from the moment a call begins, and `stored` once an answer says
 * so. Another owner who wrote nothing above what was sent here without an answer is not seen.
 */

import { AdapterError, type AdapterState, type Mutation } from "./adapter.js";

export class BackendMark {
  readonly #storeId: string;
  #stored: number;
  #sent: number;

  /** Of the first opening: what it found is what memory is read from. */
  constructor({ storeId, highVersion }: AdapterState) {
    this.#storeId = storeId;
    this.#stored = highVersion;
    this.#sent = highVersion;
  }

  /** The batch is about to be sent: from now on the backend may hold any of it. */
  sending(batch: readonly Mutation[]): void {
    for (const { version } of batch) if (version > this.#sent) this.#sent = version;
  }

  /** The backend has acknowledged the batch, but for what it rejected. */
  hasStored(batch: readonly Mutation[], rejected: readonly { readonly index: number }[] = []): void {
    const refused = new Set(rejected.map(({ index }) => index));
    // What rejects a mutation that there is not says nothing that could be relied on later.
    for (const index of refused) if (batch[index] === undefined) return;
    for (const [index, { version }] of batch.entries()) {
      if (version > this.#stored && !refused.has(index)) this.#stored = version;
    }
  }

  /**
   * What a further opening found.
   * @throws AdapterError; LEAKDB_CORRUPTION, transient, while it is another backend or an older state of it;
   *   LEAKDB_FENCED, permanent, when somebody else has written to it
   */
  check({ storeId, highVersion }: AdapterState, name: string): void {
    const wayOut =
      "put the former one back, or close this storage and open it anew, which takes what it finds";
    if (storeId !== this.#storeId) {
      const what = `${name} is not the backend that was open before: it has another store id`;
      throw new AdapterError(`${what}; ${wayOut}`, { kind: "transient", code: "LEAKDB_CORRUPTION" });
    }
    if (highVersion < this.#stored) {
      const what = `${name} has lost what was stored: it ends at version ${highVersion}, and had ${this.#stored}`;
      const guess = "it was replaced, or restored from a backup, below a running store";
      throw new AdapterError(`${what}; ${guess}: ${wayOut}`, {
        kind: "transient",
        code: "LEAKDB_CORRUPTION",
      });
    }
    if (highVersion > this.#sent) {
      const what = `another store wrote to ${name} while this one did not have it open (version ${highVersion})`;
      throw new AdapterError(`${what}; close this one, and look for the other`, {
        kind: "permanent",
        code: "LEAKDB_FENCED",
      });
    }
  }
}
