/** What the adapter can do, whatever the server. */

import type { Capabilities } from "@leakdb/core/adapter";
import type { Settings } from "./options.js";

/** Parallel connections for writes; one is enough for most, as batches are large. */
export const LANES_MAX = 8;
/** A server takes 512 MiB; a page of a scan holds some. */
const MAX_VALUE_BYTES = 64 * 1024 * 1024;

export function capabilitiesOf({ synced }: Settings): Capabilities {
  return {
    atomicBatch: false,
    ordered: false,
    lanesMax: LANES_MAX,
    levels: synced ? ["stored", "synced"] : ["stored"],
    maxKeyBytes: Number.POSITIVE_INFINITY,
    maxValueBytes: MAX_VALUE_BYTES,
  };
}
