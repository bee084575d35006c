/** All workloads, in the order in which they run. A new one is a file here and a line below. */

import type { Workload } from "../workload.js";
import { fill } from "./fill.js";
import { getSet } from "./get-set.js";
import { hotKeys } from "./hot-keys.js";
import { journalAcks } from "./journal-acks.js";
import { journalDisk } from "./journal-disk.js";
import { journalRecovery } from "./journal-recovery.js";
import { journalSet } from "./journal-set.js";
import { loopDelay } from "./loop-delay.js";
import { memory } from "./memory.js";
import { opening } from "./opening.js";
import { stalls } from "./stalls.js";
import { sustained } from "./sustained.js";

/** Parameters and results cross as JSON between two calls of the same workload, so nobody else knows their types. */
export type AnyWorkload = Workload<unknown, unknown>;

export const WORKLOADS = [
  getSet,
  fill,
  sustained,
  hotKeys,
  loopDelay,
  opening,
  memory,
  stalls,
  journalAcks,
  journalSet,
  journalRecovery,
  journalDisk,
] as unknown as readonly AnyWorkload[];
