/**
 * Write-behind: takes note of every mutation of memory, and sees that it reaches the sink.
 *
 *     put, delete, clear ─▶ backpressure ─▶ WriteQueue ─▶ Lane ─▶ Sink (adapter or workerProcess)
 *                               ▲                           │
 *                               └── settled, or dead letter ◀┘ ─▶ W(level) ─▶ Barriers ─▶ flush, persisted
 *
 * While a key coalesces, its slot in the table carries the marks WAITING and IN_FLIGHT, and the newest state is read
 * from the table when a batch is cut; otherwise every mutation is an item of its own, made at the call.
 *
 * Keeps I1 and I2 through the lanes, I4 through the marks, I5 through the backpressure, I6 through W, I10.
 */

import type { Clock } from "../clock.js";
import type { LeakDBError } from "../errors.js";
import { IN_FLIGHT, WAITING } from "../memory/marks.js";
import type { Table } from "../memory/table.js";
import { Backpressure } from "../queue/backpressure.js";
import { type BarrierOwner, Barriers } from "../queue/barriers.js";
import { DeadLetters } from "../queue/dead-letters.js";
import { type Item, newItem } from "../queue/item.js";
import type { DeadLetter } from "../reports.js";
import type { WaitOptions } from "../wait.js";
import type { LaneOwner, Retry } from "../worker/lane-owner.js";
import { Lanes } from "../worker/lanes.js";
import type { Sink } from "../worker/sink.js";
import { DeadLetterDesk, refusalError } from "./dead-letter-desk.js";
import type { Events } from "./events.js";
import { HeldSlots } from "./held-slots.js";
import { JournaledWork } from "./journaled-work.js";
import type { Journaling } from "./journaling.js";
import type { ResolvedQueueOptions } from "./options.js";
import type { Pipeline } from "./pipeline.js";
import type { RecoveredLetter } from "./recovered-table.js";
import { UnsettledKeys } from "./unsettled-keys.js";
import type { Versions } from "./versions.js";
import { WriteBehindIntake } from "./write-behind-intake.js";

export interface WriteBehindParts {
  readonly table: Table;
  readonly versions: Versions;
  readonly events: Events;
  readonly clock: Clock;
  readonly sink: Sink;
  readonly lanes: number;
  readonly options: ResolvedQueueOptions;
  /** A newer mutation makes an older dead letter of its key void: true of backends, false of user items. */
  readonly supersedes: boolean;
  sync(): Promise<void>;
  /** Every mutation is journaled before the sink may have it. */
  readonly journal?: Journaling | undefined;
  /** The journal must tell which items are done: true of user items, false of backends, which know their versions. */
  readonly notesDone?: boolean;
}

/** What a journal told of at the opening. */
export interface RestoredWork {
  readonly clears: readonly Item[];
  /** Where keys coalesce: slots, oldest state first, with it or a tombstone. */
  readonly slots: readonly number[];
  /** Where they do not: oldest first. */
  readonly items: readonly Item[];
  readonly letters: readonly RecoveredLetter[];
}

export class WriteBehind implements LaneOwner, BarrierOwner, Pipeline {
  readonly #parts: WriteBehindParts;
  readonly #table: Table;
  readonly #versions: Versions;
  readonly coalesces: boolean;
  readonly #lanes: Lanes;
  readonly #deadLetters: DeadLetters;
  readonly #desk: DeadLetterDesk;
  readonly #unsettled: UnsettledKeys;
  readonly #held: HeldSlots;
  readonly #journal: Journaling | undefined;
  readonly backpressure: Backpressure;
  readonly barriers: Barriers;
  /** A queue's dead letters that the journal told of: memory need not have their keys, unless they have changed since. */
  readonly #restored = new Set<Item>();
  /** Something was settled since the last `flush` event. */
  #hasSettled = false;
  readonly intake: WriteBehindIntake;
  stored = 0;
  retries = 0;

  constructor(parts: WriteBehindParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.#held = new HeldSlots(parts.table);
    this.#versions = parts.versions;
    this.coalesces = parts.options.coalesce;
    this.backpressure = new Backpressure(parts.options, () => parts.events.emit("drain"));
    this.#journal = parts.journal;
    this.#deadLetters = new DeadLetters(this.backpressure, parts.journal);
    this.#desk = new DeadLetterDesk({
      deadLetters: this.#deadLetters,
      standsWhileRetrying: parts.supersedes,
      requeue: (item) => this.#requeue(item),
    });
    this.#unsettled = new UnsettledKeys(this.coalesces);
    this.barriers = new Barriers(this);
    const reader = (slot: number, version: number): Item | undefined => this.#readTicket(slot, version);
    const laneOptions = { ...parts.options, clock: parts.clock };
    const lanes = new Lanes(parts.lanes, parts.sink, this, laneOptions, this.coalesces ? reader : undefined);
    this.#lanes = lanes;
    const { backpressure } = this;
    this.intake = new WriteBehindIntake({
      ...parts,
      ...{ lanes, backpressure, journal: parts.journal, unsettled: this.#unsettled },
      dropped: (clear) => this.dropped(clear),
    });
    parts.journal?.serve(
      new JournaledWork({
        ...{ table: parts.table, lanes, deadLetters: this.#deadLetters, backpressure },
        storedUpTo: () => this.storedUpTo(),
        sync: parts.sync,
        makeDue: () => this.intake.makeDue(),
      }),
    );
  }

  get coalesced(): number {
    return this.intake.coalesced;
  }

  get lastVersion(): number {
    return this.#versions.last;
  }

  get deadLetterCount(): number {
    return this.#deadLetters.size;
  }

  /** Makes everything due and resolves when W has reached `version`. */
  flush(barrier: { version: number; synced: boolean }, options: WaitOptions): Promise<void> {
    this.intake.makeDue();
    // Somebody waits for the outcome now: a pause between two tries ends.
    this.#lanes.hurry();
    return this.barriers.wait(barrier, options);
  }

  storedUpTo(): number {
    return Math.min(this.#lanes.firstUnsettled - 1, this.#unsettled.clearsFrom - 1, this.#versions.last);
  }

  unsettledVersion(key: string): number | undefined {
    const newest = this.#unsettled.newest(key);
    const slot = this.coalesces ? this.#table.find(key) : -1;
    if (slot < 0 || (this.#table.marks(slot) & (WAITING | IN_FLIGHT)) === 0) return newest;
    return Math.max(this.#table.version(slot), newest ?? 0);
  }

  failure(version: number, key?: string): LeakDBError | undefined {
    return this.#desk.failure(version, key);
  }

  sync(): Promise<void> {
    return this.#parts.sync();
  }

  settled(item: Item): void {
    this.#leave(item);
    this.stored += 1;
    this.#hasSettled = true;
    this.#journal?.itemSettled(item);
    if (this.#parts.notesDone) this.#journal?.noteDone(item);
    if (this.#parts.supersedes) this.#removeOlderDead(item);
    for (const older of this.#restored) if (isCovered(older, item)) this.#restored.delete(older);
    this.#tellKeys(item);
  }

  dropped(item: Item): void {
    this.#held.letGo(item.slot);
    this.#unsettled.cancelled(item.key, this.#unsettled.remove(item));
    this.backpressure.remove();
  }

  refused(item: Item, error: Error): void {
    const coveredFrom = this.#leave(item);
    this.#hasSettled = true;
    // It stands for what it cancelled and for letters it takes the place of, and for the barriers that cover them.
    const replacedFrom = this.#parts.supersedes ? this.#removeOlderDead(item) : Infinity;
    item.firstVersion = Math.min(item.firstVersion, coveredFrom, replacedFrom);
    const reason = this.#parts.supersedes ? refusalError(error, item.attempts) : error;
    const dead = this.#deadLetters.add(item, reason);
    this.#parts.events.emit("deadLetter", this.#desk.describe(dead));
    this.#tellKeys(item);
  }

  superseded(item: Item, newer: Item): void {
    this.backpressure.remove();
    this.#unsettled.remove(item);
    this.#held.superseded(item.slot, newer.slot);
  }

  isCancelled(item: Item): boolean {
    return this.#held.isCancelled(item.slot);
  }

  keeps(): boolean {
    return true;
  }

  answered(): void {
    this.barriers.advance();
    this.#journal?.answered();
    if (this.backpressure.depth > 0 || !this.#hasSettled) return;
    this.#hasSettled = false;
    this.#parts.events.emit("flush", { version: this.storedUpTo() });
  }

  retrying(retry: Retry): void {
    this.retries += 1;
    this.#parts.events.emit("retry", retry);
  }

  deadLetters(): DeadLetter[] {
    return this.#desk.list();
  }

  stop(): Promise<void> {
    return this.#lanes.stop();
  }

  /** Takes over what the journal told of at the opening: nothing of it is journaled again. */
  restore({ clears, slots, items, letters }: RestoredWork): void {
    for (const clear of clears) this.intake.pushClear(clear);
    for (const slot of slots) this.intake.holdTicket(slot, this.#table.key(slot), this.#table.version(slot));
    for (const item of items) this.intake.restoreItem(item);
    for (const { item, error } of letters) {
      this.#deadLetters.restore(item, error);
      if (!this.#parts.supersedes) this.#restored.add(item);
    }
    if (clears.length + slots.length + items.length > 0) this.intake.makeDue();
  }

  unwritten(): Item[] {
    const items = this.#lanes.takeAll();
    for (const dead of this.#deadLetters.standing()) items.push(dead.item);
    return items.sort((a, b) => a.firstVersion - b.firstVersion);
  }

  #readTicket(slot: number, firstVersion: number): Item | undefined {
    if (!this.#held.isCancelled(slot)) return this.#held.take(slot, firstVersion);
    this.#unsettled.cancelled(this.#table.key(slot), firstVersion);
    this.#held.leaveLine(slot);
    return undefined;
  }

  /** The smallest first-dirty version that the item, now no longer under way, has covered. */
  #leave(item: Item): number {
    this.backpressure.remove();
    this.#held.letGo(item.slot);
    return this.#unsettled.remove(item);
  }

  #tellKeys(item: Item): void {
    if (item.type === "clear") this.barriers.prefixSettled(item.key, item.version);
    else this.barriers.keySettled(item.key, item.version);
  }

  #removeOlderDead({ type, key, version }: Item): number {
    return type === "clear"
      ? this.#deadLetters.removeCleared(key, version)
      : this.#deadLetters.removeOlder(key, version);
  }

  #requeue(item: Item): void {
    // A newer mutation on its way speaks for the key; the letter goes when that is stored.
    if (
      item.type !== "clear" &&
      this.#parts.supersedes &&
      (this.unsettledVersion(item.key) ?? 0) > item.version
    )
      return;
    const version = this.#versions.last;
    if (item.type === "clear") this.#requeueClear(newItem({ ...item, firstVersion: version }));
    else if (!this.coalesces) this.intake.pushItem({ ...item, firstVersion: version });
    else this.#retryTicket(item, version);
    this.intake.makeDue();
  }

  #requeueClear(clear: Item): void {
    // Where its letter is gone already, nothing else tells the journal of it.
    if (!this.#parts.supersedes) this.#journal?.noteItem(clear);
    this.intake.pushClear(clear);
  }

  /** The key's newest state goes again; where it has left memory meanwhile, that is a delete of its version. */
  #retryTicket(item: Item, lineVersion: number): void {
    const table = this.#table;
    const { key, value, version, type, expiresAt } = item;
    const known = table.find(key);
    const slot = known >= 0 ? known : table.insert(key);
    const isNewest = known < 0 || table.version(slot) < version;
    // A queue's memory does not have what the letter alone brought over a restart.
    const isBrought = this.#restored.has(item) && (this.#unsettled.newest(key) ?? 0) < version;
    const isGone = isNewest && (type === "delete" || !isBrought);
    if (isNewest && !isGone) table.put(slot, value, version, expiresAt);
    if ((table.marks(slot) & WAITING) === 0) this.intake.holdTicket(slot, key, lineVersion);
    // Where its letter is gone already, nothing else tells the journal of it.
    if (!this.#parts.supersedes) this.intake.journalTicket(slot);
    if (isGone) table.remove(slot, version);
  }
}

/** The newer mutation has taken the place of the older one. */
function isCovered(older: Item, newer: Item): boolean {
  if (older.version >= newer.version) return false;
  return newer.type === "clear" ? older.key.startsWith(newer.key) : older.key === newer.key;
}
