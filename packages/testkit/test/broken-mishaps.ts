/**
 * Planted bugs that show when something is wrong with the backend: damaged data, a full disk, a mutation that it refuses,
 * a failure in the background.
 */

import { AdapterError } from "@leakdb/core/adapter";
import type { BrokenAdapter, Planted } from "./broken-adapter.js";
import { REFUSED_KEY } from "./mishaps.js";

const INVENTED =
  "damaged data are refused with LEAKDB_CORRUPTION, or nothing that is served of them is invented";
const MISSING = "damaged data are refused with LEAKDB_CORRUPTION, or none of them are missing without a word";
const LEFT = "damaged data are left as they are: once repaired, everything is there";
const TRULY = "a write that the backend fails says truly what was applied, and can be sent again";
const WHOLE = "a write that the backend fails leaves all of the batch or nothing";
const REJECTED = "what is refused for good is rejected by its index, and all the others are stored";

type Open = NonNullable<ReturnType<BrokenAdapter["plant"]>["open"]>;

function damageBug(
  bug: string,
  caughtBy: readonly string[],
  open: (planted: Planted, context: Parameters<Open>[0]) => ReturnType<Open>,
): BrokenAdapter {
  return { bug, caughtBy, plant: (planted) => ({ open: (context) => open(planted, context) }) };
}

const damages: readonly BrokenAdapter[] = [
  damageBug("serves damaged data as they are", [INVENTED], ({ reference }, context) =>
    reference.open(context),
  ),
  damageBug(
    "refuses damaged data like any other failure",
    [INVENTED],
    async ({ mishaps, inner }, context) => {
      if (mishaps.damagedKey !== undefined) throw new AdapterError("unreadable", { kind: "transient" });
      return inner.open(context);
    },
  ),
  {
    bug: "skips what is damaged without a word",
    caughtBy: [MISSING],
    plant: ({ mishaps, reference }) => ({
      open: (context) => reference.open(context),
      load: async (keys) =>
        (await reference.load(keys)).map((record) =>
          record?.key === mishaps.damagedKey ? undefined : record,
        ),
      async *scan(range) {
        for await (const page of reference.scan(range)) {
          yield page.filter(({ key }) => key !== mishaps.damagedKey);
        }
      },
    }),
  },
  damageBug("starts anew over damaged data", [MISSING, LEFT], ({ mishaps, backend, reference }, context) => {
    if (mishaps.damagedKey !== undefined) backend.records.clear();
    return reference.open(context);
  }),
  damageBug("refuses damaged data, and removes them", [LEFT], ({ mishaps, backend, inner }, context) => {
    if (mishaps.damagedKey !== undefined) backend.records.clear();
    return inner.open(context);
  }),
];

const fullDisks: readonly BrokenAdapter[] = [
  fullDiskBug("says transient of a write that failed after half of it", [TRULY, WHOLE], "transient"),
  fullDiskBug("leaves half of an atomic batch where the disk is full", [WHOLE], "ambiguous"),
  {
    bug: "gives a write up for good while the disk is full",
    caughtBy: [TRULY],
    plant: ({ mishaps, inner }) => ({
      write: async (batch, options) => {
        if (mishaps.isFull) throw new AdapterError("the disk is full", { kind: "permanent" });
        return inner.write(batch, options);
      },
    }),
  },
  {
    bug: "acknowledges what a full disk has no room for",
    caughtBy: [TRULY],
    plant: ({ mishaps, inner }) => ({
      write: async (batch, options) => (mishaps.isFull ? { bytes: 0 } : inner.write(batch, options)),
    }),
  },
  {
    bug: "answers misses while the disk is full",
    caughtBy: ["a load while writes fail answers truly or rejects, and never with a miss"],
    plant: ({ mishaps, inner }) => ({
      load: async (keys) => (mishaps.isFull ? keys.map(() => undefined) : inner.load(keys)),
    }),
  },
  {
    bug: "loses what it holds when it closes on a full disk",
    caughtBy: ["a close and an opening while writes fail settle, and lose nothing acknowledged"],
    plant: ({ mishaps, backend, inner }) => ({
      close: async () => {
        if (mishaps.isFull) backend.records.clear();
        await inner.close();
      },
    }),
  },
];

function fullDiskBug(
  bug: string,
  caughtBy: readonly string[],
  kind: "transient" | "ambiguous",
): BrokenAdapter {
  return {
    bug,
    caughtBy,
    plant: ({ mishaps, inner, reference }) => ({
      write: async (batch, options) => {
        if (!mishaps.isFull) return inner.write(batch, options);
        await reference.write(batch.slice(0, batch.length / 2), options);
        throw new AdapterError("the disk is full", { kind });
      },
    }),
  };
}

type Write = NonNullable<ReturnType<BrokenAdapter["plant"]>["write"]>;

function rejectionBug(
  bug: string,
  caughtBy: readonly string[],
  write: (planted: Planted, index: number, ...call: Parameters<Write>) => ReturnType<Write>,
): BrokenAdapter {
  return {
    bug,
    caughtBy,
    plant: (planted) => ({
      write: (batch, options) => {
        const index = batch.findIndex((mutation) => "key" in mutation && mutation.key === REFUSED_KEY);
        return index < 0 ? planted.inner.write(batch, options) : write(planted, index, batch, options);
      },
    }),
  };
}

const error = new Error("refused for good");

const rejections: readonly BrokenAdapter[] = [
  rejectionBug("rejects the neighbour of what it refuses", [REJECTED], async ({ inner }, index, ...call) => ({
    ...(await inner.write(...call)),
    rejected: [{ index: index === 0 ? 1 : index - 1, error }],
  })),
  rejectionBug("stores nothing beside what it refuses", [REJECTED], async (_planted, index) => ({
    bytes: 0,
    rejected: [{ index, error }],
  })),
  rejectionBug(
    "refuses a mutation, and says nothing of it",
    [REJECTED],
    async ({ inner }, _index, ...call) => {
      const { bytes } = await inner.write(...call);
      return { bytes };
    },
  ),
  rejectionBug(
    "refuses a batch for good when it has stored all but one of it",
    [REJECTED],
    async ({ inner }, _index, ...call) => {
      await inner.write(...call);
      throw new AdapterError("refused", { kind: "permanent" });
    },
  ),
  rejectionBug(
    "takes what it refuses for a passing failure",
    [REJECTED, "what was refused for good is refused again, and hinders nothing after it"],
    async () => {
      throw new AdapterError("refused", { kind: "transient" });
    },
  ),
];

const reports: readonly BrokenAdapter[] = [
  {
    bug: "keeps a failure to itself that no call waits for",
    caughtBy: ["a failure that no call waits for is reported, and leaves what was acknowledged"],
    plant: ({ inner }) => ({ open: (context) => inner.open({ ...context, report: () => undefined }) }),
  },
];

export const brokenMishaps: readonly BrokenAdapter[] = [...damages, ...fullDisks, ...rejections, ...reports];
