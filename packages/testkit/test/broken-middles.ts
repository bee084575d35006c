/**
 * Planted bugs that show when a write is interrupted in its middle: by an abort or by a kill, at a moment that no fixed
 * number of turns after the call would hit.
 */

import { AdapterError } from "@leakdb/core/adapter";
import { type Batch, type BrokenAdapter, type Planted, turn } from "./broken-adapter.js";

/** Far behind the first few turns after a call. */
const LONG_TURNS = 40;

async function longWait(): Promise<void> {
  for (let turns = 0; turns < LONG_TURNS; turns += 1) await turn();
}

type Write = (batch: Batch, signal: AbortSignal, planted: Planted) => Promise<void>;

/** Its work may not be done under the signal: the reference adapter would refuse it. */
const unaborted = { signal: new AbortController().signal };

function slowWrite(bug: string, caughtBy: readonly string[], write: Write): BrokenAdapter {
  return {
    bug,
    caughtBy,
    plant: (planted) => ({
      write: async (batch, { signal }) => {
        await longWait();
        if (signal.aborted) throw new AdapterError("aborted", { kind: "transient" });
        await write(batch, signal, planted);
        return { bytes: 0 };
      },
    }),
  };
}

const firstHalf = (batch: Batch): Batch => batch.slice(0, batch.length / 2);
const secondHalf = (batch: Batch): Batch => batch.slice(batch.length / 2);

export const brokenMiddles: readonly BrokenAdapter[] = [
  slowWrite(
    "applies half of an atomic batch when it is aborted in its middle",
    ["an abort in the middle of a write leaves all of the batch or nothing"],
    async (batch, signal, { inner }) => {
      await inner.write(firstHalf(batch), unaborted);
      await longWait();
      if (signal.aborted) throw new AdapterError("aborted", { kind: "ambiguous" });
      await inner.write(secondHalf(batch), unaborted);
    },
  ),
  slowWrite(
    "says transient at an abort after it has written half",
    [
      "a write that is aborted in its middle says truly what was applied",
      "an abort in the middle of a write leaves all of the batch or nothing",
    ],
    async (batch, signal, { inner }) => {
      await inner.write(firstHalf(batch), unaborted);
      await longWait();
      if (signal.aborted) throw new AdapterError("aborted", { kind: "transient" });
      await inner.write(secondHalf(batch), unaborted);
    },
  ),
  slowWrite(
    "says transient at an abort after all of it has landed",
    ["a write that is aborted in its middle says truly what was applied"],
    async (batch, signal, { inner }) => {
      await inner.write(batch, unaborted);
      await longWait();
      if (signal.aborted) throw new AdapterError("aborted", { kind: "transient" });
    },
  ),
  slowWrite(
    "resolves at an abort with half of the batch",
    ["a write that is aborted in its middle says truly what was applied"],
    async (batch, signal, { inner }) => {
      await inner.write(firstHalf(batch), unaborted);
      await longWait();
      if (!signal.aborted) await inner.write(secondHalf(batch), unaborted);
    },
  ),
  slowWrite(
    "leaves half of an atomic batch when it is killed late in a write",
    [
      "a kill in the middle of a write leaves all of the batch or nothing",
      "a kill -9 in the middle of a write leaves all of the batch or nothing",
    ],
    async (batch, _signal, { inner, reference }) => {
      await reference.write(firstHalf(batch), unaborted);
      await longWait();
      await inner.write(secondHalf(batch), unaborted);
    },
  ),
  slowWrite(
    "removes records first and puts the new ones later, and is killed between",
    [
      "a kill in the middle of a write leaves each key old or new",
      "a kill -9 in the middle of a write leaves each key old or new",
    ],
    async (batch, _signal, { backend, inner }) => {
      for (const mutation of batch) if (mutation.type === "put") backend.remove(mutation.key);
      await longWait();
      await inner.write(batch, unaborted);
    },
  ),
];
