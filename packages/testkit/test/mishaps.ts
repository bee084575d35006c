/**
 * What can happen to a reference backend besides outages: damaged records, a full disk, a mutation it refuses, a failure
 * in the background. The adapters around it answer as the contract wants it.
 */

import { type Adapter, AdapterError, type StoredRecord } from "@leakdb/core/adapter";
import type { Fixture, ReferenceBackend } from "../src/index.js";

/** The backend refuses it for good, by a constraint of its own. */
export const REFUSED_KEY = "refused for good";

export class Mishaps {
  readonly #backend: ReferenceBackend;
  #whole: StoredRecord | undefined;
  #report: ((error: Error) => void) | undefined;
  isFull = false;

  constructor(backend: ReferenceBackend) {
    this.#backend = backend;
  }

  get damagedKey(): string | undefined {
    return this.#whole?.key;
  }

  /** The parts of a fixture that make them happen. */
  get fixture(): Pick<Required<Fixture>, "damage" | "failWrites" | "failInBackground" | "rejectedMutation"> {
    const setFull = (isFull: boolean): void => {
      this.isFull = isFull;
    };
    return {
      damage: (index) => this.#damage(index),
      failWrites: { begin: () => setFull(true), end: () => setFull(false) },
      failInBackground: () => this.#report?.(new Error("connection lost")),
      rejectedMutation: (version) => ({ type: "delete", key: REFUSED_KEY, version }),
    };
  }

  /** `inner`, which knows of none of them, with answers to them. */
  around(inner: Adapter): Adapter {
    return {
      name: inner.name,
      capabilities: inner.capabilities,
      open: (context) => {
        if (this.#whole !== undefined) {
          const message = "a record is damaged: restore it";
          return Promise.reject(new AdapterError(message, { kind: "permanent", code: "LEAKDB_CORRUPTION" }));
        }
        this.#report = (error) => context.report(error);
        return inner.open(context);
      },
      write: async (batch, options) => {
        if (this.isFull) throw new AdapterError("the disk is full", { kind: "transient" });
        const index = batch.findIndex(({ type, ...rest }) => "key" in rest && rest.key === REFUSED_KEY);
        if (index < 0) return inner.write(batch, options);
        const { bytes } = await inner.write(batch.toSpliced(index, 1), options);
        return { bytes, rejected: [{ index, error: new Error("refused for good") }] };
      },
      load: (keys) => inner.load(keys),
      scan: (range) => inner.scan(range),
      sync: () => inner.sync(),
      close: () => inner.close(),
    };
  }

  #damage(index: number): () => void {
    const whole = [...this.#backend.records.values()][index * 10] as StoredRecord;
    this.#whole = whole;
    this.#backend.put({ ...whole, value: new TextEncoder().encode("damaged") });
    return () => {
      this.#backend.put(whole);
      this.#whole = undefined;
    };
  }
}
