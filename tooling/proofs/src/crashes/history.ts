/**
 * Every state that every key was ever in, what of it was acknowledged, and so what a crash may have left: the oracle.
 *
 *     a:  1 ── 2 ── 3 ── 4        2 was acknowledged: a crash leaves 2, 3 or 4
 *              └ floor            afterwards what it left is the floor, and what it took is forgotten
 *
 * Where the journal promises it, all keys together must be as they were at the end of one turn.
 */

import type { Death } from "./crash-plan.js";

export interface Found {
  readonly version: number;
  readonly value: unknown;
  readonly expiresAt: number;
}

interface State extends Found {
  /** `value` is `undefined` of what is gone. */
  readonly isPresent: boolean;
  /** The burst, within one turn, that made it. */
  readonly burst: number;
}

interface Acknowledged {
  version: number;
  readonly ofKeys: Map<string, number>;
}

export interface Recovery {
  readonly how: Death;
  /** All keys are as at the end of one turn. */
  readonly isWhole: boolean;
  /** Nothing is certain but that nothing is invented. */
  readonly isUncertain: boolean;
  /** The backend was ahead of a journal that had failed: what it deleted then, the journal may have. */
  readonly wasAhead: boolean;
  /** What was found survives the next power cut. */
  readonly isDurable: boolean;
}

const ABSENT: State = { version: 0, value: undefined, expiresAt: 0, isPresent: false, burst: 0 };

export class History {
  readonly #states = new Map<string, State[]>();
  readonly #floors: Readonly<Record<Death, Map<string, number>>> = { kill: new Map(), cut: new Map() };
  readonly #acknowledged: Readonly<Record<Death, Acknowledged>> = {
    kill: { version: 0, ofKeys: new Map() },
    cut: { version: 0, ofKeys: new Map() },
  };
  /** Keys whose newest state was given up: up to this version anything older may be back. */
  readonly #givenUp = new Map<string, number>();
  #burst = 1;
  /** What the last opening found. */
  #base = 0;

  get burst(): number {
    return this.#burst;
  }

  /** The turn ends. */
  endBurst(): void {
    this.#burst += 1;
  }

  put(key: string, found: Found): void {
    this.#of(key).push({ ...found, isPresent: true, burst: this.#burst });
  }

  gone(key: string, version: number): void {
    this.#of(key).push({ ...ABSENT, version, burst: this.#burst });
  }

  /** That version, and all before it, of one key or of all, survives such a death. */
  acknowledge(how: Death, version: number, key: string | undefined): void {
    const { ofKeys } = this.#acknowledged[how];
    if (key !== undefined) ofKeys.set(key, Math.max(ofKeys.get(key) ?? 0, version));
    else this.#acknowledged[how].version = Math.max(this.#acknowledged[how].version, version);
  }

  giveUp(key: string, version: number): void {
    this.#givenUp.set(key, version);
  }

  /** The keys that were given up and not written again. */
  get givenUp(): string[] {
    return [...this.#givenUp]
      .filter(([key, version]) => (this.#of(key).at(-1) ?? ABSENT).version <= version)
      .map(([key]) => key);
  }

  /** Whether memory is what was made of it. */
  differences(content: ReadonlyMap<string, Found>, nowMs: number): string[] {
    return this.#allKeys(content)
      .filter(
        (key) => !this.#givenUp.has(key) && !isLike(this.#of(key).at(-1) as State, content.get(key), nowMs),
      )
      .map((key) => `I8: ${key} is ${shown(content.get(key))} and was made ${shown(this.#of(key).at(-1))}`);
  }

  /** What an opening found, judged; from now on it is what there is. */
  recovered(content: ReadonlyMap<string, Found>, nowMs: number, recovery: Recovery): string[] {
    const keys = this.#allKeys(content);
    const breaches: string[] = [];
    const indexes = new Map<string, number>();
    for (const key of keys) {
      const index = this.#matching(key, content.get(key), nowMs, recovery);
      if (index === undefined) breaches.push(this.#described(key, content.get(key), recovery));
      else indexes.set(key, index);
    }
    if (breaches.length === 0 && recovery.isWhole) {
      const burst = this.#boundary(keys, content, nowMs, recovery);
      if (burst === undefined) breaches.push(this.#noBoundary(keys, content, recovery));
      else
        for (const key of keys) if (!this.#isGivenUp(key, burst)) indexes.set(key, this.#indexAt(key, burst));
    }
    for (const [key, index] of indexes) this.#settle(key, index, recovery);
    for (const how of ["kill", "cut"] as const) {
      this.#acknowledged[how].version = 0;
      this.#acknowledged[how].ofKeys.clear();
    }
    this.#base = this.#burst;
    this.#burst += 1;
    return breaches;
  }

  /** Of a queue memory has what is pending alone: nothing there may be invented, or older than what was acknowledged. */
  recoveredPending(content: ReadonlyMap<string, Found>, nowMs: number, how: Death): string[] {
    const breaches: string[] = [];
    for (const [key, found] of content) {
      const states = this.#of(key);
      const index = states.findLastIndex((state) => state.isPresent && isLike(state, found, nowMs));
      const isBack = index < this.#floorOf(key, how) && !this.#givenUp.has(key);
      if (index < 0 || isBack)
        breaches.push(`I3: ${key} is ${shown(found)} after a ${how}; it was ${this.#line(key)}`);
    }
    this.#burst += 1;
    // What is absent was done, or lost: the items tell.
    for (const key of this.#allKeys(content)) if (!content.has(key)) this.gone(key, 0);
    for (const [key, found] of content) this.put(key, found);
    return breaches;
  }

  #of(key: string): State[] {
    let states = this.#states.get(key);
    if (states === undefined) {
      states = [ABSENT];
      this.#states.set(key, states);
    }
    return states;
  }

  #allKeys(content: ReadonlyMap<string, Found>): string[] {
    return [...new Set([...this.#states.keys(), ...content.keys()])];
  }

  /** The newest state that it may be. */
  #matching(key: string, found: Found | undefined, nowMs: number, recovery: Recovery): number | undefined {
    const states = this.#of(key);
    const least = recovery.isUncertain ? 0 : this.#floorOf(key, recovery.how);
    const floor = recovery.wasAhead && states[least]?.isPresent === false ? 0 : least;
    for (let index = states.length - 1; index >= floor; index -= 1)
      if (isLike(states[index] as State, found, nowMs)) return index;
    return undefined;
  }

  #floorOf(key: string, how: Death): number {
    const states = this.#of(key);
    const { version, ofKeys } = this.#acknowledged[how];
    const upTo = Math.max(version, ofKeys.get(key) ?? 0);
    const index = Math.max(
      this.#floors[how].get(key) ?? 0,
      states.findLastIndex((state) => state.version <= upTo && state.burst > this.#base),
    );
    return (states[index] as State).version <= (this.#givenUp.get(key) ?? -1) ? 0 : index;
  }

  #settle(key: string, index: number, { how, isDurable, isUncertain }: Recovery): void {
    const cut = isDurable ? index : isUncertain ? 0 : Math.min(index, this.#floorOf(key, "cut"));
    this.#floors.kill.set(key, index);
    this.#floors.cut.set(key, how === "cut" ? index : cut);
    this.#of(key).length = index + 1;
    this.#givenUp.delete(key);
  }

  /** The newest end of a turn at which all keys were so. */
  #boundary(
    keys: readonly string[],
    content: ReadonlyMap<string, Found>,
    nowMs: number,
    { how }: Recovery,
  ): number | undefined {
    const isSo = (key: string, burst: number): boolean => {
      if (this.#isGivenUp(key, burst)) return true;
      const index = this.#indexAt(key, burst);
      return (
        index >= this.#floorOf(key, how) && isLike(this.#of(key)[index] as State, content.get(key), nowMs)
      );
    };
    for (let burst = this.#burst; burst >= this.#base; burst -= 1)
      if (keys.every((key) => isSo(key, burst))) return burst;
    return undefined;
  }

  #isGivenUp(key: string, burst: number): boolean {
    return (this.#of(key)[this.#indexAt(key, burst)] as State).version <= (this.#givenUp.get(key) ?? -1);
  }

  #indexAt(key: string, burst: number): number {
    return Math.max(
      0,
      this.#of(key).findLastIndex((state) => state.burst <= burst),
    );
  }

  #described(key: string, found: Found | undefined, { how }: Recovery): string {
    const states = this.#of(key);
    const isKnown = found === undefined || states.some(({ version }) => version === found.version);
    const last = states[this.#floorOf(key, how)];
    const what = !isKnown ? "invented" : last?.isPresent === false ? "I3, back" : "I7, lost";
    return `${what}: ${key} is ${shown(found)} after a ${how}, and was at least ${shown(last)} of ${this.#line(key)}`;
  }

  #noBoundary(keys: readonly string[], content: ReadonlyMap<string, Found>, { how }: Recovery): string {
    const lines = keys
      .filter((key) => this.#of(key).length > 1)
      .map(
        (key) =>
          `${key} is ${shown(content.get(key))} of ${this.#line(key)} from ${this.#floorOf(key, how)} on`,
      );
    return `I7: after a ${how} memory is as at the end of no turn:\n  ${lines.join("\n  ")}`;
  }

  #line(key: string): string {
    return this.#of(key)
      .map((state) => `${state.burst}:${shown(state)}`)
      .join(" ");
  }
}

function isLike(state: State, found: Found | undefined, nowMs: number): boolean {
  const isThere = state.isPresent && (state.expiresAt === 0 || state.expiresAt > nowMs);
  if (!isThere || found === undefined) return !isThere && found === undefined;
  return (
    state.version === found.version && state.value === found.value && state.expiresAt === found.expiresAt
  );
}

function shown(found: Found | undefined): string {
  if (found === undefined || found.value === undefined)
    return found?.version ? `gone@${found.version % 1e8}` : "absent";
  const expiry = found.expiresAt === 0 ? "" : ` until ${found.expiresAt % 1e6}`;
  return `${String(found.value).slice(0, 12)}@${found.version % 1e8}${expiry}`;
}
