/** Whose journal it is: that of another storage, or before another backend, is not opened. */

import { LeakDBError } from "../errors.js";
import { type JournalIdentity, type SegmentHeader, storeHashOf } from "./segment-header.js";

const STORAGES = {
  memory: "DefaultStorage",
  queue: "QueueStorage",
  backend: "PersistentQueueStorage",
} as const;

/** @throws LEAKDB_CORRUPTION where the header is not that of this identity */
export function requireIdentity(header: SegmentHeader, identity: JournalIdentity, directory: string): void {
  if (header.kind !== identity.kind) {
    const message = `the journal in ${directory} is that of a ${STORAGES[header.kind]}, not of a ${STORAGES[identity.kind]}`;
    throw new LeakDBError("LEAKDB_CORRUPTION", `${message}: give each storage a directory of its own`);
  }
  if (!header.storeHash.equals(storeHashOf(identity))) {
    const message = `the journal in ${directory} belongs to another backend than the one that was opened`;
    const wayOut = "open the one it was written for, or give this one a directory of its own";
    throw new LeakDBError("LEAKDB_CORRUPTION", `${message}: ${wayOut}`);
  }
}
