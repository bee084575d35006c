/**
 * Chains of operations, one a key: each begins when those before it on the same keys have ended. An operation on
 * several keys joins all their chains at once, and a clear those of every key with its prefix; since each waits for
 * earlier ones alone, there is no circle to wait in.
 */

export interface Place {
  /** Resolves at the head of all chains joined; `undefined` when that is now. */
  readonly ready: Promise<unknown> | undefined;
  /** The operation has ended, or gives its place up. */
  leave(): void;
}

interface Clear {
  readonly prefix: string;
  readonly ended: Promise<void>;
}

/** Told of each operation that has ended, whatever came of it. */
export interface ChainEvents {
  keyLeft(key: string): void;
  prefixLeft(prefix: string): void;
}

export class KeyChains {
  readonly #events: ChainEvents;
  readonly #tails = new Map<string, Promise<void>>();
  readonly #clears = new Set<Clear>();

  constructor(events: ChainEvents) {
    this.#events = events;
  }

  has(key: string): boolean {
    if (this.#tails.has(key)) return true;
    for (const clear of this.#clears) if (key.startsWith(clear.prefix)) return true;
    return false;
  }

  enter(keys: Iterable<string>): Place {
    const { promise, resolve } = deferred();
    const before = new Set<Promise<void>>();
    const joined = new Set(keys);
    for (const key of joined) {
      const tail = this.#tails.get(key);
      if (tail !== undefined) before.add(tail);
      for (const clear of this.#clears) if (key.startsWith(clear.prefix)) before.add(clear.ended);
      this.#tails.set(key, promise);
    }
    const leave = (): void => {
      for (const key of joined) if (this.#tails.get(key) === promise) this.#tails.delete(key);
      resolve();
      for (const key of joined) this.#events.keyLeft(key);
    };
    return { ready: all(before), leave };
  }

  enterPrefix(prefix: string): Place {
    const { promise, resolve } = deferred();
    const before = new Set<Promise<void>>();
    for (const [key, tail] of this.#tails) if (key.startsWith(prefix)) before.add(tail);
    for (const clear of this.#clears) {
      if (clear.prefix.startsWith(prefix) || prefix.startsWith(clear.prefix)) before.add(clear.ended);
    }
    const clear: Clear = { prefix, ended: promise };
    this.#clears.add(clear);
    const leave = (): void => {
      this.#clears.delete(clear);
      resolve();
      this.#events.prefixLeft(prefix);
    };
    return { ready: all(before), leave };
  }
}

function all(promises: ReadonlySet<Promise<void>>): Promise<unknown> | undefined {
  return promises.size === 0 ? undefined : Promise.all(promises);
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
