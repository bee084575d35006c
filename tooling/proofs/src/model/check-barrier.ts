/** What a barrier that failed must say, held against the model. */

import { must, show } from "./check-content.js";
import type { Model } from "./model.js";

/** The keys that a failed barrier lists. */
export function deadKeysOf(error: unknown): string[] {
  const { code, deadLetters } = error as { code?: string; deadLetters?: readonly { key: string }[] };
  must(
    code === "LEAKDB_FLUSH_FAILED" && deadLetters !== undefined,
    () => `the barrier failed: ${show(error)}`,
  );
  return deadLetters.map((letter) => letter.key);
}

/** Nothing but what cannot be encoded is refused here, and all of that. */
export function checkRefused(keys: readonly string[], model: Model): void {
  const expected = model.list().filter(([, entry]) => !entry.isEncodable);
  for (const [key, entry] of expected) {
    const isNamed = keys.includes(key) || entry.hasLapsed;
    must(isNamed, () => `I6: ${show(key)} can't be stored, and the flush says nothing`);
  }
  for (const key of keys) {
    const entry = model.live(key);
    const isAtFault = entry === undefined || !entry.isEncodable;
    must(isAtFault, () => `I6: the flush gave up ${show(key)} without need`);
  }
}
