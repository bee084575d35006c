/**
 * Opening: reads the whole backend into the table, page by page. A page that does not come within the session's
 * deadline fails the opening (I10); a record that cannot be decoded fails it too, and nothing is overwritten.
 */

import { nextTurn } from "../next-turn.js";
import type { AdapterSession } from "../worker/adapter-session.js";
import type { OpenProgress } from "./options.js";
import type { Store } from "./store.js";

/** A page is taken over in one go up to this many records; then other work has its turn. */
const RECORDS_PER_SLICE = 2_000;

/** @throws LEAKDB_DECODE_FAILED, LEAKDB_CORRUPTION, and what the adapter throws */
export async function loadAll(
  store: Pick<Store, "load">,
  session: AdapterSession,
  onProgress: ((progress: OpenProgress) => void) | undefined,
): Promise<void> {
  let loaded = 0;
  for await (const page of session.scan()) {
    for (let start = 0; start < page.length; start += RECORDS_PER_SLICE) {
      for (const record of page.slice(start, start + RECORDS_PER_SLICE)) store.load(record);
      await nextTurn();
    }
    loaded += page.length;
    onProgress?.({ phase: "backend", loaded, done: false });
  }
  onProgress?.({ phase: "backend", loaded, done: true });
}
