/** I6 and I7: what was promised as durable had been applied, acknowledged and, where asked for, synced by then. */

import type { Mutation } from "@leakdb/core/adapter";
import { type Happening, nameOf, type Of } from "./happening.js";

interface Acknowledged {
  readonly mutation: Mutation;
  /** Where in the record. */
  readonly at: number;
}

export function checkDurability(record: readonly Happening[]): string[] {
  return new Durability().check(record);
}

class Durability {
  readonly #breaches: string[] = [];
  readonly #batches = new Map<number, readonly Mutation[]>();
  readonly #applied = new Set<string>();
  readonly #acknowledged: Acknowledged[] = [];
  readonly #mutated: Of<"mutated">[] = [];
  readonly #asked = new Map<number, Of<"asked">>();
  readonly #dead: Of<"dead" | "discarded" | "given-back">[] = [];
  /** Where the last sync that succeeded was asked for. */
  #syncedUpTo = -1;

  check(record: readonly Happening[]): string[] {
    for (const [at, happening] of record.entries()) this.#see(happening, at);
    return this.#breaches;
  }

  #see(happening: Happening, at: number): void {
    switch (happening.type) {
      case "sent":
        this.#batches.set(happening.call, happening.batch);
        break;
      case "applied":
        for (const mutation of happening.mutations) this.#applied.add(nameOf(mutation));
        break;
      case "answered":
        if (happening.isStored) this.#acknowledge(happening, at);
        break;
      case "mutated":
        this.#mutated.push(happening);
        break;
      case "dead":
      case "discarded":
      case "given-back":
        this.#dead.push(happening);
        break;
      case "synced":
        this.#syncedUpTo = Math.max(this.#syncedUpTo, happening.askedAt);
        break;
      case "asked":
        this.#asked.set(happening.barrier, happening);
        break;
      case "settled":
        this.#judge(happening);
        break;
      default:
    }
  }

  #acknowledge({ call, refused }: Of<"answered">, at: number): void {
    for (const [index, mutation] of (this.#batches.get(call) ?? []).entries()) {
      if (refused.includes(index)) continue;
      if (!this.#applied.has(nameOf(mutation))) {
        this.#breaches.push(`I7: ${nameOf(mutation)} was acknowledged and not applied`);
      }
      this.#acknowledged.push({ mutation, at });
    }
  }

  #judge({ barrier, code }: Of<"settled">): void {
    const asked = this.#asked.get(barrier);
    if (asked === undefined) return;
    const covered = this.#mutated.filter(
      (each) => each.version <= asked.version && (asked.key === undefined || covers(each, asked.key)),
    );
    if (code === undefined || code === "LEAKDB_CLOSE_INCOMPLETE") {
      const lost = covered.filter((each) => !this.#isDurable(each, asked.isSynced));
      const name = ({ operation, key, version }: Of<"mutated">): string => `${operation} ${key}@${version}`;
      for (const each of lost) this.#breaches.push(`I6: ${asked.what} settled without ${name(each)}`);
      return;
    }
    if (code !== "LEAKDB_FLUSH_FAILED" || asked.isSynced) return;
    // The dead letter may be a newer state of a key that was rewritten while it waited.
    const isFounded = this.#dead.some(({ operation, key }) =>
      covered.some((each) => (operation === "clear" ? each.key.startsWith(key) : each.key === key)),
    );
    if (!isFounded)
      this.#breaches.push(`I6: ${asked.what} failed although nothing it covers is a dead letter`);
  }

  /** Stored, replaced by something stored, given up by the user, or given back to the user by a close. */
  #isDurable({ operation, key, version }: Of<"mutated">, isSynced: boolean): boolean {
    const isStored = this.#acknowledged.some(({ mutation, at }) => {
      if (mutation.version < version || (isSynced && at > this.#syncedUpTo)) return false;
      if (mutation.type === "clear") return key.startsWith(mutation.prefix);
      return operation !== "clear" && mutation.key === key;
    });
    const isGivenUp = this.#dead.some((each) => {
      if (each.type === "dead" || each.version < version) return false;
      return each.operation === "clear"
        ? key.startsWith(each.key)
        : operation !== "clear" && each.key === key;
    });
    return isStored || isGivenUp;
  }
}

function covers({ operation, key }: Of<"mutated">, ofKey: string): boolean {
  return operation === "clear" ? ofKey.startsWith(key) : key === ofKey;
}
