/** Waiting without time: what a storage does by itself must come to an end while the clock stands still. */

export type Outcome = { readonly value: unknown } | { readonly error: unknown };

const TURNS_MAX = 2_000;

/** What a call came to, at once. */
export function attempt(call: () => unknown): Outcome {
  try {
    return { value: call() };
  } catch (error) {
    return { error };
  }
}

/** What a promise came to, `undefined` when it has not settled after so many turns of the event loop. */
export async function outcomeOf(
  promise: Promise<unknown>,
  turns: number = TURNS_MAX,
): Promise<Outcome | undefined> {
  let outcome: Outcome | undefined;
  promise.then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  // Most promises of a storage settle within some microtasks; a turn costs more than ten of them.
  for (let task = 0; task < 10 && outcome === undefined; task += 1) await undefined;
  for (let turn = 0; turn < turns && outcome === undefined; turn += 1) await nextTurn();
  return outcome;
}

/** @throws Error when it does not settle (I10) */
export async function settled(promise: Promise<unknown>, name: string): Promise<Outcome> {
  const outcome = await outcomeOf(promise);
  if (outcome === undefined) throw new Error(`I10: ${name} did not settle while the clock stood still`);
  return outcome;
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
