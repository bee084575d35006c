/**
 * Every item of a queue over all of its lives: what was acknowledged reaches the worker until it is done, one key's items in
 * order, each as it was made; and what was done, and told of in the journal, never comes again.
 */

import type { QueueItem } from "@leakdb/core";
import type { Death } from "./crash-plan.js";

/** Turns of the event loop after which what a worker has done is noted for the journal for sure. */
const NOTED_TURNS = 24;
/** Milliseconds after which it is written at the latest. */
const WRITTEN_MS = 600;

interface Made {
  readonly version: number;
  readonly type: "put" | "delete" | "clear";
  readonly key: string;
  readonly value: unknown;
  readonly expiresAt: number;
  readonly burst: number;
  readonly life: number;
  readonly turn: number;
  readonly acknowledged: Set<Death>;
  /** A crash came before it was acknowledged, and nothing was seen of it since. */
  isPerhapsLost: boolean;
  /** It is done, or was discarded. */
  done: { readonly life: number; readonly turn: number; readonly atMs: number } | undefined;
  isTold: boolean;
  /** It was a dead letter, or of the key of one that was tried again: it may come again, and late. */
  wasDead: boolean;
  /** The last life in which the worker was given it. */
  deliveredIn: number;
}

export interface Now {
  readonly life: number;
  readonly turn: number;
  readonly nowMs: number;
  readonly burst: number;
}

export class Deliveries {
  readonly breaches: string[] = [];
  readonly #items = new Map<number, Made>();
  readonly #coalesces: boolean;

  constructor(coalesces: boolean) {
    this.#coalesces = coalesces;
  }

  made(
    item: Pick<Made, "version" | "type" | "key" | "value" | "expiresAt">,
    { life, turn, burst }: Now,
  ): void {
    const known = this.#items.get(item.version);
    if (known !== undefined && !known.isPerhapsLost)
      this.breaches.push(`version ${item.version} was issued twice, for ${known.key} and ${item.key}`);
    this.#items.set(item.version, {
      ...{
        ...item,
        burst,
        life,
        turn,
        acknowledged: new Set<Death>(),
        isPerhapsLost: false,
        done: undefined,
      },
      ...{ isTold: false, wasDead: false, deliveredIn: -1 },
    });
  }

  acknowledge(how: Death, version: number, key: string | undefined): void {
    const { turn = -1, life } = this.#items.get(version) ?? {};
    for (const item of this.#items.values()) {
      if (item.version <= version && (key === undefined || concerns(item, key))) item.acknowledged.add(how);
      const { done } = item;
      if (
        key === undefined &&
        how === "cut" &&
        done !== undefined &&
        done.life === life &&
        done.turn + NOTED_TURNS < turn
      )
        item.isTold = true;
    }
  }

  /** The worker was given these, by one call. A batch that fails is given again in parts, all of which it has seen. */
  delivered(items: readonly QueueItem[], now: Now, takesBatches: boolean): void {
    for (const item of items) this.#delivered(item, now, !takesBatches);
  }

  done(version: number, { life, turn, nowMs }: Now): void {
    const item = this.#items.get(version);
    if (item !== undefined) item.done = { life, turn, atMs: nowMs };
  }

  dead(version: number): void {
    const item = this.#items.get(version);
    if (item !== undefined) item.wasDead = true;
  }

  /** A dead letter of the key is tried again: where keys coalesce, its newest state goes, done or not. */
  revived(key: string): void {
    for (const item of this.#items.values()) {
      if (item.key === key) item.wasDead = true;
    }
  }

  /** The life is over. What was written is not on the disk, unless it is synced. */
  ended(how: Death, isJournalSound: boolean, isSynced: boolean, { life, turn, nowMs }: Now): void {
    const isWritten = isJournalSound && (how === "kill" || isSynced);
    for (const item of this.#items.values()) {
      if (how === "cut" && !isSynced) item.isTold = false;
      // Of what was delivered the journal need not know.
      if (!isWritten) item.deliveredIn = -1;
      if (item.done === undefined) item.isPerhapsLost ||= !item.acknowledged.has(how);
      else if (isWritten && item.done.life === life)
        item.isTold ||= item.done.atMs + WRITTEN_MS < nowMs && item.done.turn + NOTED_TURNS < turn;
    }
  }

  /** What a resolved wait for the worker says to be done, and is not. What was reported as a dead letter was settled so. */
  undone(version: number, key: string | undefined): string[] {
    const isSettled = (item: Made): boolean => item.done !== undefined || item.wasDead;
    return [...this.#items.values()]
      .filter((item) => item.version <= version && !item.isPerhapsLost)
      .filter((item) => key === undefined || concerns(item, key))
      .filter((item) => !this.#isAnswered(item, isSettled))
      .map((item) => `I6: ${nameOf(item)} was told to be done, and is not`);
  }

  /** Nothing is under way any more, and nothing failed lately. */
  lost(): string[] {
    return [...this.#items.values()]
      .filter((item) => !item.isPerhapsLost && !this.#isAnswered(item, ({ done }) => done !== undefined))
      .map((item) => `I7: ${nameOf(item)} of life ${item.life} never reached the worker again`);
  }

  /** By itself, or where keys coalesce by what is newer. */
  #isAnswered(item: Made, isSettled: (item: Made) => boolean): boolean {
    if (isSettled(item)) return true;
    if (!this.#coalesces) return false;
    return this.#isReplaced(item, isSettled);
  }

  #delivered({ operation, key, value, version }: QueueItem, { life, nowMs }: Now, isAlone: boolean): void {
    const item = this.#items.get(version);
    const name = `${operation} ${key}@${version % 1e8}`;
    if (item === undefined) {
      this.breaches.push(`invented: the worker was given ${name}`);
      return;
    }
    const hasExpired = item.expiresAt !== 0 && item.expiresAt <= nowMs;
    const isSame = item.type === operation && item.value === value;
    if (item.key !== key || !(isSame || ((hasExpired || this.#isReplaced(item)) && operation === "delete")))
      this.breaches.push(`invented: the worker was given ${name}, and ${nameOf(item)} was made`);
    if (item.isTold && !item.wasDead) this.breaches.push(`${name} was done, told of, and delivered again`);
    if (item.isPerhapsLost) this.#found(item);
    const newer = [...this.#items.values()].find(
      (other) =>
        other.version > version &&
        (isAlone ? other.deliveredIn === life : other.done?.life === life) &&
        overlap(other, item),
    );
    if (newer !== undefined && !item.wasDead)
      this.breaches.push(`I1: ${name} was delivered after ${nameOf(newer)}`);
    if (this.#coalesces && !item.wasDead && this.#isReplaced(item, ({ deliveredIn }) => deliveredIn >= 0))
      this.breaches.push(`I1: ${name} was delivered, of which something newer had been`);
    item.deliveredIn = life;
  }

  /** There is something newer of the key. */
  #isReplaced(item: Made, isMeant: (newer: Made) => boolean = () => true): boolean {
    return [...this.#items.values()].some(
      (other) => other.version > item.version && covers(other, item) && isMeant(other),
    );
  }

  /** It was not lost, so nothing older was, or of the same turn. */
  #found({ life, burst }: Made): void {
    for (const item of this.#items.values())
      if (item.life === life && item.burst <= burst) item.isPerhapsLost = false;
  }
}

function concerns({ type, key }: Pick<Made, "type" | "key">, ofKey: string): boolean {
  return type === "clear" ? ofKey.startsWith(key) : key === ofKey;
}

function covers(newer: Made, older: Made): boolean {
  return newer.type === "clear"
    ? older.key.startsWith(newer.key)
    : older.type !== "clear" && newer.key === older.key;
}

function overlap(a: Made, b: Made): boolean {
  if (a.type !== "clear" && b.type !== "clear") return a.key === b.key;
  if (a.type === "clear" && b.type === "clear") return a.key.startsWith(b.key) || b.key.startsWith(a.key);
  return a.type === "clear" ? b.key.startsWith(a.key) : a.key.startsWith(b.key);
}

function nameOf({ type, key, version }: Pick<Made, "type" | "key" | "version">): string {
  return `${type} ${key}@${version % 1e8}`;
}
