/**
 * Measures the files adapter: sets to stored a second, beside a loop that writes, syncs and renames the same files by
 * hand. `node apps/examples/dist/files-adapter/speed.js [directory]`; it takes the system's temporary one by default.
 */

import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { jsonCodec, PersistentQueueStorage } from "@leakdb/core";
import { files } from "./files-adapter.js";
import { encodeRecord, recordFileName } from "./record-file.js";

const ROUNDS = 3;
const LOOP_PARALLEL = 8;

const place = process.argv[2] ?? tmpdir();
console.log(
  `Node ${process.version}, ${availableParallelism()} processors, ${place}; median of ${ROUNDS} rounds`,
);
console.log("records   new: sets/s   by hand: files/s   again: sets/s   opening: records/s");
for (const count of [1_000, 10_000]) {
  const rounds: number[][] = [];
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(await measure(count));
  const columns = [0, 1, 2, 3].map((column) => median(rounds.map((round) => round[column] ?? 0)));
  console.log([count, ...columns.map(Math.round)].map((number) => String(number).padStart(12)).join("  "));
}

/** Rates: new records, the same by hand, every record again, opening. */
async function measure(count: number): Promise<number[]> {
  const [directory, byHand] = [await mkdtemp(join(place, "speed-")), await mkdtemp(join(place, "speed-"))];
  const open = () => PersistentQueueStorage.open({ adapter: files({ directory }), codec: jsonCodec() });
  try {
    const first = await open();
    const setAll = async (visits: number): Promise<void> => {
      for (let index = 0; index < count; index += 1) first.set(`user:${index}`, { name: "Ada", visits });
      await first.flush();
    };
    const fresh = await rate(count, () => setAll(1));
    const loop = await rate(count, () => writeByHand(byHand, count));
    const again = await rate(count, () => setAll(2));
    await first.close();
    const opening = await rate(count, async () => (await open()).close());
    return [fresh, loop, again, opening];
  } finally {
    for (const each of [directory, byHand]) await rm(each, { recursive: true });
  }
}

/** What nobody gets below: the same bytes under the same names, nothing kept in mind. */
async function writeByHand(directory: string, count: number): Promise<void> {
  let next = 0;
  const writeOn = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      const value = Buffer.from(JSON.stringify({ name: "Ada", visits: 1 }));
      const record = { key: `user:${index}`, value, version: index + 1, expiresAt: 0 };
      const path = join(directory, recordFileName(record.key));
      await writeFile(`${path}.unfinished`, encodeRecord(record), { flush: true });
      await rename(`${path}.unfinished`, path);
    }
  };
  await Promise.all(Array.from({ length: LOOP_PARALLEL }, writeOn));
}

async function rate(count: number, work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (count / (performance.now() - start)) * 1_000;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
