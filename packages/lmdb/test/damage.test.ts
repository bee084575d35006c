/** Flipped bits: whatever they hit, the process lives, and no value is served that was not written. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeDirectory, put, puts } from "@leakdb/adapter-tests";
import { describe, expect, it } from "vitest";
import { dataFile, openStore } from "./tested-stores.js";

interface Counts {
  readonly refused: number;
  readonly damaged: number;
  readonly whole: number;
  readonly wrong: readonly unknown[];
}

const SEED = 20_261_122;
const RANDOM_FLIPS = 350;

/** Where there is a file system in memory the copies go there: each is opened, which waits for the disk. */
const makeFastDirectory = (): string => makeDirectory(existsSync("/dev/shm") ? "/dev/shm" : undefined);

/** Makes a store with every kind of page: branches, leaves, large values, free pages, an index of expiries. */
async function makeVariedStore(directory: string): Promise<void> {
  const store = await openStore({ directory });
  await store.write(
    ...puts(800),
    put("large", Buffer.alloc(20_000, 5), 2000),
    put("expires", "x", 2001, 9e15),
  );
  await store.write(...puts(400, 3000), { type: "clear", prefix: "key 0007", version: 4000 });
  await store.adapter.close();
}

function flipsOf(bytes: number): number[] {
  const flips: number[] = [];
  // Of the heads each bit in turn, every fifth of them.
  for (const head of [0, 4096]) for (let bit = 0; bit < 168 * 8; bit += 5) flips.push(head * 8 + bit);
  // Of the headers of pages, and of where their nodes are, one for each; of all the rest at random.
  let state = SEED;
  const next = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  for (let page = 2; page < bytes / 4096; page += 1) flips.push(page * 4096 * 8 + next(40 * 8));
  for (let count = 0; count < RANDOM_FLIPS; count += 1) flips.push(next(bytes * 8));
  return flips;
}

describe("a flipped bit", () => {
  it("is found at the opening or at the record it hit, or hit nothing that counts", {
    timeout: 60_000,
  }, async () => {
    const source = join(makeDirectory(), "store");
    await makeVariedStore(source);
    const target = makeFastDirectory();
    const flips = flipsOf(readFileSync(dataFile(source)).length);
    const script = fileURLToPath(new URL("./flip-bits.mjs", import.meta.url));
    writeFileSync(join(target, "flips"), JSON.stringify(flips));
    const { stdout, signal } = spawnSync(process.execPath, [script, source, target], { encoding: "utf8" });
    expect(signal, `ended by bit ${readFileSync(join(target, "progress"), "utf8")} of seed ${SEED}`).toBe(
      null,
    );
    const counts = JSON.parse(stdout) as Counts;
    expect(counts.wrong, `of the flips by seed ${SEED}`).toEqual([]);
    expect(counts.refused).toBeGreaterThan(50);
    expect(counts.damaged).toBeGreaterThan(50);
    expect(counts.refused + counts.damaged + counts.whole).toBe(flips.length);
  });
});
