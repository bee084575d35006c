/** The records that the measurements write: some hundred bytes each, under keys in order or in none. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Packr } from "msgpackr";

/** Mutations in a batch that the adapter is given. */
export const ADAPTER_BATCH = 10_000;
export const FIRST_VERSION = 1_790_000_000_000_000;

const VALUES = 1009;
const SEED = 777;

export class BenchRecords {
  readonly count: number;
  readonly #packr = new Packr({ useRecords: false });
  readonly #values: readonly Uint8Array[];

  constructor(count: number) {
    this.count = count;
    this.#values = Array.from({ length: VALUES }, (_, id) =>
      this.#packr.pack({ id, name: "n".repeat(60), tags: ["a", "b"], note: "x".repeat(50), seen: 1.5 * id }),
    ).map((bytes) => Uint8Array.prototype.slice.call(bytes));
  }

  /** The keys, the same ones in each run. */
  keys(kind: "sequential" | "random"): string[] {
    let seed = SEED;
    const next = (): number => {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      return seed >>> 0;
    };
    return Array.from({ length: this.count }, (_, index) =>
      kind === "random"
        ? `key:${next().toString(36)}${index.toString(36)}`
        : `key:${String(index).padStart(12, "0")}`,
    );
  }

  /** The encoded value of the record at `index`. */
  valueAt(index: number): Uint8Array {
    return this.#values[index % VALUES] as Uint8Array;
  }

  decode(bytes: Uint8Array): unknown {
    return this.#packr.unpack(bytes);
  }
}

/** Thousands a second, where `count` were done since `startMs` of `performance.now()`. */
export function perSecond(count: number, startMs: number): number {
  return Math.round(count / (performance.now() - startMs));
}

/** Runs `work` with a path in a directory that is removed afterwards; `BENCH_DIRECTORY` says on which disk. */
export async function withBenchDirectory<T>(work: (path: string) => T | Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(process.env["BENCH_DIRECTORY"] ?? tmpdir(), "leakdb-bench-"));
  try {
    return await work(join(directory, "store"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
