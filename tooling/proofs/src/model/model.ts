/**
 * What a store must hold: a `Map` of entries with their expiry, and nothing clever. Expiry is a pure function of the
 * entry and the time; deleted and cleared entries are gone; everything else is kept until it is replaced.
 *
 * Versions are the storage's to give: an entry written here has none until `adopt` hears which was issued.
 */

import { byUtf8 } from "./hostile-keys.js";

export interface ModelEntry {
  /** Never handed to a storage, so that nobody can change it. */
  readonly expected: unknown;
  /** The very object that was given, where the table must hold it: the value policy `"reference"`. */
  ref: { readonly value: unknown } | undefined;
  /** `NaN` until the storage has said which. */
  version: number;
  /** Milliseconds since 1970, 0 for never. */
  readonly expiresAt: number;
  readonly isEncodable: boolean;
  /** It was born expired, so nobody could ask for its version: of several issued at once, any may be its own. */
  isVersionGuessed?: boolean;
  /** It has been expired before the clock stepped back: housekeeping may have removed it, or may not yet. */
  hasLapsed: boolean;
}

export interface Written {
  readonly expected: unknown;
  readonly ref: { readonly value: unknown } | undefined;
  readonly expiresAt: number;
  readonly isEncodable: boolean;
}

export class Model {
  readonly #entries = new Map<string, ModelEntry>();
  /** Lapsed entries that have left memory; their record may still stand in the backend. */
  readonly #ghosts = new Map<string, ModelEntry>();
  /** The latest moment the clock has shown: what expired by then may be gone from the backend. */
  latestMs = 0;
  nowMs = 0;

  /** To be told of each change of the clock, before anything else is asked. */
  setTime(nowMs: number): void {
    this.nowMs = nowMs;
    this.latestMs = Math.max(this.latestMs, nowMs);
    for (const entry of this.#entries.values()) if (hasExpired(entry, nowMs)) entry.hasLapsed = true;
  }

  live(key: string): ModelEntry | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined || hasExpired(entry, this.nowMs) ? undefined : entry;
  }

  /** Live entries whose key starts with `base`, in key order. */
  list(base = ""): [string, ModelEntry][] {
    return [...this.#entries]
      .filter(([key, entry]) => key.startsWith(base) && !hasExpired(entry, this.nowMs))
      .sort(([a], [b]) => byUtf8(a, b));
  }

  get size(): number {
    let size = 0;
    for (const entry of this.#entries.values()) if (!hasExpired(entry, this.nowMs)) size += 1;
    return size;
  }

  put(key: string, written: Written): void {
    this.#ghosts.delete(key);
    const hasLapsed = hasExpired(written, this.nowMs);
    this.#entries.set(key, { ...written, version: Number.NaN, hasLapsed });
  }

  delete(key: string): void {
    this.#ghosts.delete(key);
    this.#entries.delete(key);
  }

  /** How many live entries it removed. */
  clear(prefix: string): number {
    const count = this.list(prefix).length;
    for (const entries of [this.#entries, this.#ghosts]) {
      for (const key of [...entries.keys()]) if (key.startsWith(prefix)) entries.delete(key);
    }
    return count;
  }

  /** Entries that no version is known of yet. */
  pending(): [string, ModelEntry][] {
    return [...this.#entries].filter(([, entry]) => Number.isNaN(entry.version));
  }

  /** Lapsed entries that the time says are live again. */
  doubtful(): [string, ModelEntry][] {
    return [...this.#entries].filter(([, entry]) => entry.hasLapsed && !hasExpired(entry, this.nowMs));
  }

  /** A lapsed entry was not there any more. */
  lapse(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#ghosts.set(key, entry);
  }

  /** Whoever reopens reads values of its own, and may find again what memory had lost to a clock that stepped back. */
  reopen(versionOf: (key: string) => number | undefined): void {
    for (const entry of this.#entries.values()) entry.ref = undefined;
    for (const [key, entry] of [...this.#ghosts]) {
      const version = versionOf(key);
      const isIt = version === entry.version || entry.isVersionGuessed === true;
      if (version === undefined || hasExpired(entry, this.nowMs) || !isIt) continue;
      this.#ghosts.delete(key);
      this.#entries.set(key, { ...entry, version, ref: undefined });
    }
  }
}

function hasExpired({ expiresAt }: { readonly expiresAt: number }, nowMs: number): boolean {
  return expiresAt !== 0 && expiresAt <= nowMs;
}
