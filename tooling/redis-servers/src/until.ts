/** Waits for a real server to reach a state: asks, waits a little, asks again, up to a deadline. */

import { setTimeout as wait } from "node:timers/promises";

const EVERY_MS = 20;

/** Default time that a server has to reach a state. Two loaded cores need a tenth of it. */
export const DEADLINE_MS = 20_000;

export interface UntilOptions {
  /** What is waited for, for the error. */
  readonly what: string;
  /** Default 20,000. */
  readonly deadlineMs?: number;
  /** Put behind the message of the error, such as the end of a log. */
  readonly detail?: () => string;
}

/**
 * Resolves with the first answer of `ask` that is neither `undefined` nor `false`. A failure of `ask` counts as "not
 * yet": servers refuse connections while they start.
 *
 * @throws Error that names what was waited for, with the last failure as its cause.
 */
export async function until<T>(
  ask: () => Promise<T | undefined | false>,
  { what, deadlineMs = DEADLINE_MS, detail = () => "" }: UntilOptions,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  let failure: unknown;
  do {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      failure = undefined;
    } catch (error) {
      if (error instanceof Unreachable) throw error;
      failure = error;
    }
    await wait(EVERY_MS);
  } while (Date.now() < end);
  throw new Error(`${what}: not within ${deadlineMs} ms\n${detail()}`, { cause: failure });
}

/** Thrown by what {@link until} asks, when waiting on is pointless. */
export class Unreachable extends Error {}
