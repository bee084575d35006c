/**
 * Planted bugs that show when something ends: the backend goes away, the process dies, or an adapter that closed has
 * left handles behind.
 */

import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { AdapterError, type StoredRecord } from "@leakdb/core/adapter";
import type { ReferenceBackend } from "../src/index.js";
import { type BrokenAdapter, never, remembered, turn } from "./broken-adapter.js";

const brokenOutages: readonly BrokenAdapter[] = [
  {
    bug: "answers misses while the backend is away",
    caughtBy: ["a load while the backend is away answers truly or rejects, and never with a miss"],
    plant: ({ inner, isAway }) => ({
      load: async (keys) => (isAway() ? keys.map(() => undefined) : inner.load(keys)),
    }),
  },
  {
    bug: "ends a scan early while the backend is away",
    caughtBy: ["a scan while the backend is away yields everything or rejects, and never ends early"],
    plant: ({ inner, isAway }) => ({
      async *scan(range) {
        if (!isAway()) yield* inner.scan(range);
      },
    }),
  },
  {
    bug: "claims to have written while the backend is away",
    caughtBy: ["a write while the backend is away fails, and not for good"],
    plant: ({ inner, isAway }) => ({
      write: async (batch, options) => (isAway() ? { bytes: 0 } : inner.write(batch, options)),
    }),
  },
  {
    bug: "gives a write up for good while the backend is away",
    caughtBy: ["a write while the backend is away fails, and not for good"],
    plant: ({ inner, isAway }) => ({
      write: async (batch, options) => {
        if (isAway()) throw new AdapterError("no connection", { kind: "permanent" });
        return inner.write(batch, options);
      },
    }),
  },
  {
    bug: "ignores an abort while the backend is away",
    hangs: true,
    caughtBy: ["a write that is aborted while the backend is away settles"],
    plant: ({ inner, isAway }) => ({
      write: (batch, options) => (isAway() ? never() : inner.write(batch, options)),
    }),
  },
  {
    bug: "waits for ever with a load while the backend is away",
    hangs: true,
    caughtBy: ["a load and a sync while the backend is away settle"],
    plant: ({ inner, isAway }) => ({ load: (keys) => (isAway() ? never() : inner.load(keys)) }),
  },
  {
    bug: "waits with its close until the backend is back",
    hangs: true,
    caughtBy: ["a close while the backend is away settles"],
    plant: ({ inner, isAway }) => ({ close: () => (isAway() ? never() : inner.close()) }),
  },
  {
    bug: "opens an empty backend while the other is away",
    caughtBy: ["an opening while the backend is away never shows another, empty one"],
    plant: ({ inner, isAway }) => ({
      open: async (context) =>
        isAway() ? { storeId: "another", highVersion: 0, bytes: 0 } : inner.open(context),
    }),
  },
  {
    bug: "takes no write after an outage until it is opened again, and calls that transient",
    caughtBy: ["a write that failed as transient in an outage can be sent again when it is over"],
    failsWith: /no connection/,
    plant: ({ inner, isAway }) => {
      let isBroken = false;
      return {
        write: async (batch, options) => {
          isBroken ||= isAway();
          if (isBroken) throw new AdapterError("no connection", { kind: "transient" });
          return inner.write(batch, options);
        },
      };
    },
  },
];

const buried = remembered((): StoredRecord[] => []);

const brokenKills: readonly BrokenAdapter[] = [
  {
    bug: "keeps writes in memory until the close",
    caughtBy: ["what was acknowledged is there after a kill, deletes and clears included"],
    plant: () => ({}),
    atKill: (backend) => backend.records.clear(),
  },
  {
    bug: "keeps deletes in memory until the close",
    caughtBy: [
      "what was acknowledged is there after a kill, deletes and clears included",
      "any history with deaths keeps what was acknowledged, and atomic batches whole",
    ],
    plant: ({ inner, backend }) => ({
      write: (batch, options) => {
        for (const { type, key } of batch.filter((mutation) => mutation.type !== "clear")) {
          const record = backend.records.get(key);
          if (type === "delete" && record !== undefined) buried(backend).push(record);
        }
        return inner.write(batch, options);
      },
    }),
    atKill: (backend) => {
      for (const record of buried(backend)) if (!backend.records.has(record.key)) backend.put(record);
    },
  },
  {
    bug: "applies half of an atomic batch when it is killed",
    caughtBy: [
      "a kill in the middle of a write leaves all of the batch or nothing",
      "any history with deaths keeps what was acknowledged, and atomic batches whole",
    ],
    plant: ({ inner, reference }) => ({
      write: async (batch, options) => {
        await reference.write(batch.slice(0, batch.length / 2), options);
        await turn();
        return inner.write(batch.slice(batch.length / 2), options);
      },
    }),
  },
  {
    bug: "leaves its lock behind when it is killed",
    caughtBy: [
      "five kills in a row lose nothing acknowledged and lock nobody out",
      "a kill -9 of the owner lets the next one in, with all that was acknowledged",
    ],
    failsWith: /open elsewhere/,
    plant: ({ reference }) => {
      last = reference;
      return {};
    },
    atKill: (backend) => {
      backend.owner = last;
    },
  },
];

let last: ReferenceBackend["owner"];

const left: (() => void)[] = [];

/** Closes what the planted leaks have left open. */
export function closeLeaks(): void {
  for (const close of left.splice(0)) close();
}

function leakFile(): () => void {
  const file = openSync(process.execPath, "r");
  const close = () => closeSync(file);
  left.push(close);
  return () => {
    left.splice(left.indexOf(close), 1);
    close();
  };
}

const AFTER_CLOSE = "openings and closings leave no file, socket or timer behind";

function leakAtOpening(what: string, leak: () => unknown): BrokenAdapter {
  return {
    bug: `leaves ${what} behind at each close`,
    caughtBy: [AFTER_CLOSE],
    plant: ({ inner }) => ({
      open: async (context) => {
        const state = await inner.open(context);
        await leak();
        return state;
      },
    }),
  };
}

/** Opens a file first, and closes it with the adapter, unless the opening failed as `keeps` says. */
function leakAtFailure(bug: string, caughtBy: string, keeps: (isAborted: boolean) => boolean): BrokenAdapter {
  return {
    bug,
    caughtBy: [caughtBy],
    plant: ({ inner }) => {
      let close: (() => void) | undefined;
      return {
        open: async (context) => {
          close = leakFile();
          try {
            return await inner.open(context);
          } catch (error) {
            if (!keeps(context.signal.aborted)) close();
            close = undefined;
            throw error;
          }
        },
        close: async () => {
          close?.();
          close = undefined;
          await inner.close();
        },
      };
    },
  };
}

const leaks: readonly BrokenAdapter[] = [
  leakAtOpening("an open file", leakFile),
  leakAtOpening("a timer", () => {
    const timer = setInterval(() => undefined, 60_000);
    left.push(() => clearInterval(timer));
  }),
  leakAtOpening("a socket", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    left.push(() => server.close());
    await once(server, "listening");
  }),
  leakAtFailure(
    "leaves a file open when its opening is aborted",
    "openings that are aborted leave no file, socket or timer behind",
    (isAborted) => isAborted,
  ),
  leakAtFailure(
    "leaves a file open when it is refused",
    "openings that are refused leave no file, socket or timer behind",
    (isAborted) => !isAborted,
  ),
];

export const brokenEnds: readonly BrokenAdapter[] = [...brokenOutages, ...brokenKills, ...leaks];
