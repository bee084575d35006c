/** The contestants of the rows about durable acknowledgements, ours first. */

import type { MakeAckContestant } from "./ack-contestant.js";
import { makeBareAppend } from "./bare-append.js";
import { makeJournaled } from "./journaled-storage.js";
import { makeLmdbPuts, makeLmdbPutsFlushed } from "./lmdb-puts.js";
import { makeRedisSets } from "./redis-sets.js";
import { makeSqliteCommitEach, makeSqliteCommitTurn } from "./sqlite-commits.js";

export const ACK_CONTESTANTS = {
  DefaultStorage: makeJournaled("DefaultStorage"),
  "write-behind SQLite": makeJournaled("write-behind SQLite"),
  "write-behind LMDB": makeJournaled("write-behind LMDB"),
  "bare append": makeBareAppend,
  lmdb: makeLmdbPuts,
  "lmdb, put().flushed": makeLmdbPutsFlushed,
  "SQLite, a commit a turn": makeSqliteCommitTurn,
  "SQLite, a commit a write": makeSqliteCommitEach,
  Redis: makeRedisSets,
} as const satisfies Record<string, MakeAckContestant>;

export type AckContestantName = keyof typeof ACK_CONTESTANTS;
