/**
 * What users see of dead letters, and what they can do with them: the list, the error of a barrier that covers some,
 * retry and discard.
 */

import { isLeakDBError, LeakDBError } from "../errors.js";
import type { Dead, DeadLetters } from "../queue/dead-letters.js";
import type { Item } from "../queue/item.js";
import type { DeadLetter } from "../reports.js";

export interface DeadLetterDeskParts {
  readonly deadLetters: DeadLetters;
  /** A dead letter that is retried stands until that has been stored; else it goes when it is queued again. */
  readonly standsWhileRetrying: boolean;
  requeue(item: Item): void;
}

export class DeadLetterDesk {
  readonly #parts: DeadLetterDeskParts;

  constructor(parts: DeadLetterDeskParts) {
    this.#parts = parts;
  }

  list(): DeadLetter[] {
    return [...this.#parts.deadLetters.standing()].map((dead) => this.describe(dead));
  }

  /** The error for the dead letters that a barrier at `version` covers, of one key if given. */
  failure(version: number, key: string | undefined): LeakDBError | undefined {
    const covered = this.#parts.deadLetters.covered(version, key);
    if (covered.length === 0) return undefined;
    const count = covered.length === 1 ? "1 mutation" : `${covered.length} mutations`;
    const message = `${count} could not be stored: retry or discard each of "deadLetters" of this error`;
    const deadLetters = covered.map((dead) => this.describe(dead));
    return new LeakDBError("LEAKDB_FLUSH_FAILED", message, { cause: covered[0]?.error, deadLetters });
  }

  describe(dead: Dead): DeadLetter {
    const { item, error } = dead;
    return {
      operation: item.type,
      key: item.key,
      version: item.version,
      error,
      attempts: item.attempts,
      date: new Date(item.date),
      retry: () => this.#retry(dead),
      discard: () => !dead.isRetrying && this.#parts.deadLetters.remove(dead),
    };
  }

  #retry(dead: Dead): boolean {
    const { deadLetters, standsWhileRetrying, requeue } = this.#parts;
    if (dead.isRetrying || !deadLetters.has(dead)) return false;
    if (standsWhileRetrying) dead.isRetrying = true;
    else deadLetters.remove(dead);
    requeue(dead.item);
    return true;
  }
}

/** A backend's refusal as the user's error, with a code. */
export function refusalError(error: Error, attempts: number): Error {
  if (isLeakDBError(error)) return error;
  const times = attempts > 1 ? ` ${attempts} times, while others were stored` : "";
  const message = `the backend refused the mutation${times}: ${error.message}. Retry or discard it`;
  return new LeakDBError("LEAKDB_ADAPTER_REJECTED", message, { cause: error });
}
