/**
 * Conformance: sizes and limits. Keys and values of every size core may send are stored exactly.
 */

import type { CaseGroup } from "./conformance-case.js";
import type { ConformanceRun } from "./conformance-run.js";
import { clear, numberedPuts, put } from "./mutations.js";
import { needsValueLimit } from "./requirements.js";

/** Core's own limit of a key with its prefix. */
const KEY_BYTES_MAX = 1_024;
const MEBIBYTE = 1024 * 1024;

async function keyBytesMax(run: ConformanceRun): Promise<number> {
  return Math.min(KEY_BYTES_MAX, (await run.capabilities()).maxKeyBytes);
}

async function valueBytesMax(run: ConformanceRun, wanted: number): Promise<number> {
  return Math.min(wanted, (await run.capabilities()).maxValueBytes);
}

/** Bytes that no compression and no repetition shortens. */
function noise(byteLength: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  let state = seed + 1;
  for (let index = 0; index < byteLength; index += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[index] = state >>> 16;
  }
  return bytes;
}

export const sizes: CaseGroup = {
  group: "sizes and limits",
  cases: [
    {
      name: "the longest keys are stored, and kept apart by their last byte",
      body: async (run) => {
        const first = await run.open();
        const length = await keyBytesMax(run);
        const long = "k".repeat(length - 1);
        const puts = [put(`${long}a`, "one", 1), put(`${long}b`, "two", 2), put(long, "three", 3)];
        await first.write(...puts);
        await first.mustHold(puts, `keys of ${length} bytes`);
        const second = await run.reopen(first);
        await second.mustHold(puts, `keys of ${length} bytes after a reopening`);
      },
    },
    {
      name: "the longest keys may be of characters of several bytes",
      body: async (run) => {
        const store = await run.open();
        const length = await keyBytesMax(run);
        const puts = ["é", "中", "😀"].map((character, index) => {
          const repeated = character.repeat(Math.floor(length / Buffer.byteLength(character)));
          return put(repeated, character, index + 1);
        });
        await store.write(...puts);
        await store.mustHold(puts, `keys of up to ${length} bytes, in characters of two to four`);
      },
    },
    {
      name: "the longest prefixes select and clear",
      body: async (run) => {
        const store = await run.open();
        const long = "p".repeat((await keyBytesMax(run)) - 1);
        const puts = [put(`${long}a`, "one", 1), put(`${long}b`, "two", 2)];
        const kept = [put(long.slice(1), "three", 3)];
        await store.write(...puts, ...kept);
        await store.mustScan({ prefix: long }, puts, "a scan of the longest prefix");
        await store.write(clear(long, 4));
        await store.mustHold(kept, "after a clear of the longest prefix");
      },
    },
    {
      name: "keys of a single byte are stored",
      body: async (run) => {
        const store = await run.open();
        const puts = Array.from({ length: 128 }, (_, code) =>
          put(String.fromCharCode(code), `${code}`, code + 1),
        );
        await store.write(...puts);
        await store.mustHold(puts, "all keys of one byte");
      },
    },
    {
      name: "values of every size around the powers of two are stored, and the empty one",
      body: async (run) => {
        const first = await run.open();
        const limit = await valueBytesMax(run, MEBIBYTE);
        const lengths = [0, 1, 127, 128, 255, 256, 4_095, 4_096, 4_097, 65_535, 65_536, 65_537, limit];
        const puts = lengths
          .filter((length) => length <= limit)
          .map((length, index) => put(`of ${index}`, noise(length, index), index + 1));
        await first.write(...puts);
        await first.mustHold(puts, "values of 0 bytes to a mebibyte");
        const second = await run.reopen(first);
        await second.mustHold(puts, "the same after a reopening");
      },
    },
    {
      name: "a value of a mebibyte in the middle of a batch leaves its neighbours whole",
      body: async (run) => {
        const store = await run.open();
        const large = put("large", noise(await valueBytesMax(run, MEBIBYTE), 1), 50_000);
        const small = numberedPuts(100);
        const batch = [...small.slice(0, 50), large, ...small.slice(50)];
        await store.send(batch);
        await store.mustHold(batch, "a large value among small ones");
      },
    },
    {
      name: "the heaviest batch core sends is stored whole",
      body: async (run) => {
        const store = await run.open();
        const length = await valueBytesMax(run, MEBIBYTE - 64);
        const batch = Array.from({ length: 8 }, (_, index) =>
          put(`heavy ${index}`, noise(length, index), index + 1),
        );
        await run.settles(store.send(batch), "a write of 8 MiB");
        await store.mustHold(batch, "a batch of 8 MiB");
      },
    },
    {
      name: "a large value is replaced by a small one and the reverse",
      body: async (run) => {
        const store = await run.open();
        const large = noise(await valueBytesMax(run, MEBIBYTE), 2);
        await store.write(put("a", large, 1), put("b", "small", 2));
        await store.write(put("a", "small", 3), put("b", large, 4));
        await store.mustHold(
          [put("a", "small", 3), put("b", large, 4)],
          "after large and small changed places",
        );
      },
    },
    {
      name: "a value of exactly maxValueBytes is stored",
      requires: needsValueLimit,
      body: async (run) => {
        const store = await run.open();
        const { maxValueBytes } = store.adapter.capabilities;
        const largest = put("largest", noise(maxValueBytes, 3), 1);
        await store.write(largest);
        await store.mustHold([largest], `a value of ${maxValueBytes} bytes`);
      },
    },
  ],
};
