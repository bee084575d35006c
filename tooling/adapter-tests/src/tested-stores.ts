/** Stores of one adapter for its tests: opened, made with records in them, or found to be refused. */

import { readFileSync } from "node:fs";
import type { AdapterContext, ErrorCode } from "@leakdb/core/adapter";
import type { ThreadAdapter } from "@leakdb/core/adapter-thread";
import { expect } from "vitest";
import { afterThisTest } from "./after-this-test.js";
import { type OpenedStore, openAdapter, puts } from "./opened-store.js";

/** What an adapter that keeps its records in files is for its tests. */
export interface StoreKind<Options> {
  readonly make: (options: Options) => ThreadAdapter;
  /** The options that name the store at `path`, and nothing else. */
  readonly optionsOf: (path: string) => Options;
  /** The file that holds the records of the store at `path`. */
  readonly dataFile: (path: string) => string;
  /** What the close after a test may reject with: a close that has rejected does so again. */
  readonly closeRejects?: ErrorCode;
}

export interface TestedStores<Options> {
  /** Open until the end of the test. `make` stands in for the adapter's own factory. */
  openStore(
    options: Options,
    how?: { clock?: AdapterContext["clock"]; make?: (options: Options) => ThreadAdapter },
  ): Promise<OpenedStore<ThreadAdapter>>;
  /** Makes a store with `count` records in it, 2,000 where not told, and closes it. */
  madeStore(path: string, count?: number): Promise<void>;
  /** The opening fails as told, and changes nothing. */
  refuses(path: string, error: { kind: string; code: string; message?: unknown }): Promise<void>;
}

export function testedStores<Options>(kind: StoreKind<Options>): TestedStores<Options> {
  const openStore: TestedStores<Options>["openStore"] = async (options, { clock, make = kind.make } = {}) => {
    const store = await openAdapter(make(options), clock);
    afterThisTest(() =>
      store.adapter.close().catch((error) => {
        if (kind.closeRejects === undefined || error.code !== kind.closeRejects) throw error;
      }),
    );
    return store;
  };
  return {
    openStore,
    async madeStore(path, count = 2000) {
      const store = await openStore(kind.optionsOf(path));
      await store.write(...puts(count));
      await store.adapter.close();
    },
    async refuses(path, error) {
      const before = bytesOf(kind.dataFile(path));
      await expect(openStore(kind.optionsOf(path))).rejects.toMatchObject(error);
      // A comparison by `expect` takes seconds for a file of this size.
      expect(bytesOf(kind.dataFile(path)).equals(before)).toBe(true);
    },
  };
}

/** The bytes of the file, none when it is missing. */
function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return Buffer.alloc(0);
    throw error;
  }
}
