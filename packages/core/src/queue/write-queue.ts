/**
 * Everything that waits to be written: one line a lane, and the clears, which concern every lane.
 *
 *     lane 0  ─ a3 ─ b5 ─────┃──── f11 ─▶
 *     lane 1  ─ c4 ──────────┃──── g12 ─▶      ┃ clear, version 9
 *     lane 2  ─ d6 ─ e8 ─────┃───────────▶
 *
 * A key keeps its lane, so one key's mutations are taken in version order (I1). A clear is taken once every lane
 * has written what is older, and no lane takes anything newer before the clear is settled; with a single lane it
 * simply stands in its place in the batch.
 */

import type { Item } from "./item.js";
import { ItemLine, type Line, TicketLine, type TicketReader } from "./line.js";

/** What a lane has taken and not settled, as far as a clear must know it. */
export interface LaneHands {
  /** True while the lane has a batch in its hands. */
  readonly isBusy: boolean;
  /** True while a key that the clear covers is parked: its older mutation must not land after the clear. */
  parksBefore(clear: Item): boolean;
  /** Something the lane may wait for has changed. */
  wake(): void;
}

export class WriteQueue {
  readonly lanes: number;
  readonly #tickets: TicketLine[] = [];
  readonly #itemLines: ItemLine[] = [];
  readonly #lines: Line[];
  readonly #hands: LaneHands[] = [];
  /** A clear makes a batch of its own: with several lanes, and where each item may fail by itself. */
  readonly #clearsAlone: boolean;
  readonly #clears: Item[] = [];
  /** A clear that a lane has taken, where clears go alone. */
  #clearing: Item | undefined;

  /** With a `reader` keys wait once, as tickets; without, every item waits by itself. */
  constructor(lanes: number, reader: TicketReader | undefined) {
    this.lanes = lanes;
    this.#clearsAlone = lanes > 1 || reader === undefined;
    for (let lane = 0; lane < lanes; lane += 1) {
      if (reader) this.#tickets.push(new TicketLine(reader));
      else this.#itemLines.push(new ItemLine());
    }
    this.#lines = reader ? this.#tickets : this.#itemLines;
  }

  /** Lanes register in their order, before anything is taken. */
  register(hands: LaneHands): void {
    this.#hands.push(hands);
  }

  /** Everything that waits in the lines, cancelled tickets included, and the clears. */
  get size(): number {
    let size = this.#clears.length;
    for (let lane = 0; lane < this.lanes; lane += 1) size += this.waiting(lane);
    return size;
  }

  /** How many entries wait in the lane's line. */
  waiting(lane: number): number {
    return (this.#lines[lane] as Line).length;
  }

  /** The smallest first-dirty version that waits for the lane, `Infinity` for none. */
  firstVersion(lane: number): number {
    return Math.min((this.#lines[lane] as Line).firstVersion, this.#clears[0]?.firstVersion ?? Infinity);
  }

  /** The smallest first-dirty version of everything that waits, a clear being written included. */
  get firstWaiting(): number {
    let first = this.#clearing?.firstVersion ?? this.#clears[0]?.firstVersion ?? Infinity;
    for (const line of this.#lines) first = Math.min(first, line.firstVersion);
    return first;
  }

  /** Puts a slot in its lane's line; the lane's number. */
  pushTicket(slot: number, key: string, version: number): number {
    const lane = this.#laneOf(key);
    (this.#tickets[lane] as TicketLine).push(slot, version);
    return lane;
  }

  /** Puts an item in its lane's line; the lane's number. */
  pushItem(item: Item): number {
    const lane = this.#laneOf(item.key);
    (this.#itemLines[lane] as ItemLine).push(item);
    return lane;
  }

  /** Clears stand in the order of their first-dirty versions, where one that took another's place does too. */
  pushClear(item: Item): void {
    const after = this.#clears.findIndex((clear) => clear.firstVersion > item.firstVersion);
    this.#clears.splice(after < 0 ? this.#clears.length : after, 0, item);
  }

  /** Takes the waiting clears that one of `prefix` covers out of the queue. */
  takeClears(prefix: string): Item[] {
    const covered = this.#clears.filter((clear) => clear.key.startsWith(prefix));
    for (const clear of covered) this.#clears.splice(this.#clears.indexOf(clear), 1);
    return covered;
  }

  /**
   * The next item of the lane whose first-dirty version is at most `upTo`. `taken` is how many items the lane has
   * taken for the same batch: with several lanes a clear makes a batch of its own.
   */
  take(lane: number, upTo: number, taken: number): Item | undefined {
    if (this.#clearing !== undefined) return undefined;
    const clear = this.#clears[0];
    // What is tried again stands in line at the last version issued: if that is a clear's, behind the clear.
    const limit = clear === undefined ? upTo : Math.min(upTo, clear.firstVersion - 1);
    const item = (this.#lines[lane] as Line).take(limit);
    if (item !== undefined || clear === undefined || clear.firstVersion > upTo) return item;
    return this.#takeClear(clear, lane, taken);
  }

  /** The clears that wait, and where keys do not coalesce all items that do. */
  *items(): Generator<Item, void, undefined> {
    yield* this.#clears;
    for (const line of this.#itemLines) yield* line.items();
  }

  /** Everything that waits, whatever it waits for, once nothing is sent any more. */
  takeAll(): Item[] {
    const items = this.#clears.splice(0);
    for (const line of this.#lines) {
      for (let item = line.take(Infinity); item !== undefined; item = line.take(Infinity)) items.push(item);
    }
    return items;
  }

  /** The clear has been written, or given up: the lanes go on. */
  clearSettled(item: Item): void {
    if (this.#clearing !== item) return;
    this.#clearing = undefined;
    for (const hands of this.#hands) hands.wake();
  }

  /** A lane has nothing in its hands: a clear that waited for it may go now, taken by any lane. */
  laneRested(): void {
    if (this.#clears.length === 0 || this.#clearing !== undefined) return;
    for (const hands of this.#hands) hands.wake();
  }

  #takeClear(clear: Item, lane: number, taken: number): Item | undefined {
    if (this.#hands.some((hands) => hands.parksBefore(clear))) return undefined;
    if (this.#clearsAlone) {
      const isOlderWaiting = this.#lines.some((line) => line.firstVersion < clear.firstVersion);
      const isOtherBusy = this.#hands.some((hands, index) => index !== lane && hands.isBusy);
      if (taken > 0 || isOlderWaiting || isOtherBusy) return undefined;
      this.#clearing = clear;
    }
    this.#clears.shift();
    return clear;
  }

  /** FNV-1a over the key's code units: even enough for lanes, and stable for the life of the process. */
  #laneOf(key: string): number {
    if (this.lanes === 1) return 0;
    let hash = 0x811c9dc5;
    for (let index = 0; index < key.length; index += 1) {
      hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
    }
    return (hash >>> 0) % this.lanes;
  }
}
