/** The end of a turn of the event loop. A leaf. */

/** Resolves in the next turn: everything else that waits has its turn before. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
