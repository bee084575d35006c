/**
 * What a worker of `QueueStorage` must be given: every mutation once it has succeeded, in the order of its key. The
 * worker here fails as the schedule of the run says, and writes down what it was handed.
 */

import type { QueueItem, QueueStorage, WorkerContext } from "@leakdb/core";
import { must, show } from "./check-content.js";
import type { WriteNote } from "./subject.js";

interface Taken {
  readonly operation: "put" | "delete" | "clear";
  /** The key; of a clear, its prefix. */
  readonly key: string;
  readonly version: number;
}

/** A mutation of memory; its version is greater than `before` and at most `after`. */
interface Mutated extends Pick<Taken, "operation" | "key"> {
  readonly before: number;
  readonly after: number;
}

export type Answer = "true" | "false" | "throw" | "nothing" | "promise" | "promise-false";

const FAILED: ReadonlySet<Answer> = new Set<Answer>(["false", "throw", "nothing", "promise-false"]);

export class DeliveryLog {
  readonly #mutated: Mutated[] = [];
  readonly #taken: Taken[] = [];
  readonly #answers: readonly Answer[];
  readonly #attempts = new Map<number, number>();
  /** What was wrong while the worker was called: an error thrown there would only be a failed attempt. */
  readonly #wrong: string[] = [];
  #calls = 0;

  constructor(answers: readonly Answer[]) {
    this.#answers = answers;
  }

  /** Takes, or refuses, one item as the next of the drawn answers says. */
  one(item: QueueItem, { attempt }: WorkerContext): boolean | Promise<boolean> {
    const failures = this.#attempts.get(item.version) ?? 0;
    if (attempt !== failures + 1)
      this.#wrong.push(`attempt ${attempt} of ${show(item.key)} after ${failures} failures`);
    return give(this.#judge(item));
  }

  /** As `one`, for a batch. */
  batch(items: readonly QueueItem[]): boolean[] {
    const keys = items.filter((item) => item.operation !== "clear").map((item) => item.key);
    if (new Set(keys).size !== keys.length) this.#wrong.push(`a batch holds a key twice: ${show(keys)}`);
    return items.map((item) => !FAILED.has(this.#judge(item)));
  }

  /** What a command has done to memory. */
  note({ put, deleted, cleared, before, after }: WriteNote): void {
    for (const key of put) this.#mutated.push({ operation: "put", key, before, after });
    for (const key of deleted) this.#mutated.push({ operation: "delete", key, before, after });
    if (cleared !== undefined) this.#mutated.push({ operation: "clear", key: cleared, before, after });
  }

  /** Every mutation was taken away exactly once or stands as a dead letter, and older ones of its key came first. */
  check(storage: QueueStorage<unknown>): void {
    must(this.#wrong.length === 0, () => this.#wrong.join("; "));
    const dead = storage.deadLetters();
    const given = new Map<number, Taken>();
    for (const item of [...this.#taken, ...dead]) {
      must(
        !given.has(item.version),
        () => `${item.operation} ${show(item.key)}@${item.version} was given twice`,
      );
      given.set(item.version, item);
    }
    for (const { operation, key, before, after } of this.#mutated) {
      const match = [...given.values()].find(
        (item) =>
          item.operation === operation && item.key === key && item.version > before && item.version <= after,
      );
      must(match !== undefined, () => `${operation} ${show(key)}@${after} was lost without a word (I10)`);
      given.delete(match.version);
    }
    must(given.size === 0, () => `nobody made ${show([...given.values()])}`);
    this.#checkOrder();
  }

  #judge({ operation, key, version }: QueueItem): Answer {
    const answer = this.#answers[this.#calls % Math.max(1, this.#answers.length)] ?? "true";
    this.#calls += 1;
    if (FAILED.has(answer)) this.#attempts.set(version, (this.#attempts.get(version) ?? 0) + 1);
    else this.#taken.push({ operation, key, version });
    return answer;
  }

  #checkOrder(): void {
    for (const [index, later] of this.#taken.entries()) {
      for (const earlier of this.#taken.slice(0, index)) {
        const isInOrder = earlier.version <= later.version || !concernSameKey(earlier, later);
        must(isInOrder, () => `I1: ${show(later)} was handed over after ${show(earlier)}`);
      }
    }
  }
}

function give(answer: Answer): boolean | Promise<boolean> {
  switch (answer) {
    case "throw":
      throw new Error("the worker failed");
    case "nothing":
      return undefined as unknown as boolean;
    case "promise":
      return Promise.resolve(true);
    case "promise-false":
      return Promise.resolve(false);
    default:
      return answer === "true";
  }
}

/** A clear concerns every key with its prefix. */
function concernSameKey(a: Taken, b: Taken): boolean {
  if (a.operation === "clear" && b.operation === "clear")
    return a.key.startsWith(b.key) || b.key.startsWith(a.key);
  if (a.operation === "clear") return b.key.startsWith(a.key);
  if (b.operation === "clear") return a.key.startsWith(b.key);
  return a.key === b.key;
}
