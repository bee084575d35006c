/**
 * What was thrown, whatever it is: adapters, workers and listeners are other people's code. A leaf.
 */

import { inspect, types } from "node:util";

/** Whatever was thrown, as an `Error` with a message. Never throws itself. */
export function asError(thrown: unknown): Error {
  if (isError(thrown)) return thrown;
  return new Error(`something that is no Error was thrown: ${shown(thrown)}`, { cause: thrown });
}

function isError(thrown: unknown): thrown is Error {
  // A proxy may refuse to be asked.
  return !types.isProxy(thrown) && thrown instanceof Error;
}

/** As text, whatever it is: `String` throws for an object without prototype. */
export function shown(value: unknown): string {
  return typeof value === "string" ? value : inspect(value, { depth: 0 });
}
