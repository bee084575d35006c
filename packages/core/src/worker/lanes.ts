/** The lanes of one storage, with the queue they take from: what both pipelines do with all of them at once. */

import type { Item } from "../queue/item.js";
import type { TicketReader } from "../queue/line.js";
import { WriteQueue } from "../queue/write-queue.js";
import { Lane } from "./lane.js";
import type { LaneOptions, LaneOwner } from "./lane-owner.js";
import type { Sink } from "./sink.js";

export class Lanes {
  readonly queue: WriteQueue;
  readonly #lanes: Lane[] = [];

  /** With a `reader` keys coalesce. */
  constructor(count: number, sink: Sink, owner: LaneOwner, options: LaneOptions, reader?: TicketReader) {
    this.queue = new WriteQueue(count, reader);
    for (let index = 0; index < count; index += 1) {
      this.#lanes.push(new Lane(index, this.queue, sink, owner, options, () => this.#sinkIsUp()));
    }
  }

  /** The smallest first-dirty version that is not settled, `Infinity` when all are. */
  get firstUnsettled(): number {
    let first = this.queue.firstWaiting;
    for (const lane of this.#lanes) first = Math.min(first, lane.firstUnsettled);
    return first;
  }

  /** One entry became dirty in the lane's line. */
  enqueued(index: number): void {
    (this.#lanes[index] as Lane).enqueued();
  }

  allEnqueued(): void {
    for (const lane of this.#lanes) lane.enqueued();
  }

  makeDue(index: number, version: number): void {
    (this.#lanes[index] as Lane).makeDue(version);
  }

  makeAllDue(version: number): void {
    for (const lane of this.#lanes) lane.makeDue(version);
  }

  dropCancelled(): void {
    for (const lane of this.#lanes) lane.dropCancelled();
  }

  hurry(): void {
    for (const lane of this.#lanes) lane.hurry();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.stop()));
  }

  #sinkIsUp(): void {
    for (const lane of this.#lanes) lane.sinkIsUp();
  }

  /** What is in the lanes' hands, the clears that wait, and where keys do not coalesce all items that do. */
  *unsettledItems(): Generator<Item, void, undefined> {
    for (const lane of this.#lanes) yield* lane.heldItems();
    yield* this.queue.items();
  }

  /** Everything unsettled, once the lanes are stopped; takes it out of the lines. */
  takeAll(): Item[] {
    const items: Item[] = [];
    for (const lane of this.#lanes) items.push(...lane.heldItems());
    return [...items, ...this.queue.takeAll()];
  }
}
