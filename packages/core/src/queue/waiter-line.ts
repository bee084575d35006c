/**
 * Waiters by version. Most come in the order of their versions and stand in a line, where letting one go costs nothing;
 * those who come later than a greater one stand in a binary heap.
 */

import type { Waiter } from "./waiter.js";

/** How many waiters that gave up may stay until they are swept. */
const ENDED_MAX = 1_024;
/** How many that were let go may lie before the line's head until it is cut. */
const SLACK = 1_024;

export class WaiterLine {
  #line: Waiter[] = [];
  #head = 0;
  #heap: Waiter[] = [];
  /** Those that gave up, by deadline or signal, and still stand here. */
  #ended = 0;

  get isEmpty(): boolean {
    return this.#head === this.#line.length && this.#heap.length === 0;
  }

  push(waiter: Waiter): void {
    waiter.isQueued = true;
    const last = this.#line.at(-1);
    if (this.#head === this.#line.length || last === undefined || last.version <= waiter.version)
      this.#line.push(waiter);
    else pushHeap(this.#heap, waiter);
  }

  /** Takes the next whose version is at most `upTo`; `undefined` when there is none. */
  take(upTo: number): Waiter | undefined {
    const first = this.#line[this.#head];
    const other = this.#heap[0];
    const fromHeap = other !== undefined && (first === undefined || other.version < first.version);
    const waiter = fromHeap ? other : first;
    if (waiter === undefined || waiter.version > upTo) return undefined;
    if (fromHeap) popHeap(this.#heap);
    else this.#skip();
    waiter.isQueued = false;
    if (waiter.hasEnded) this.#ended -= 1;
    return waiter;
  }

  all(): Waiter[] {
    return [...this.#line.slice(this.#head), ...this.#heap];
  }

  /** One that stands here has given up: it must not stay for as long as the backend is down (I5). */
  ended(): void {
    this.#ended += 1;
    const length = this.#line.length - this.#head + this.#heap.length;
    if (this.#ended <= ENDED_MAX || this.#ended * 2 < length) return;
    this.#line = this.#line.slice(this.#head).filter((each) => !each.hasEnded);
    this.#head = 0;
    // What is sorted is a heap.
    this.#heap = this.#heap.filter((each) => !each.hasEnded).sort((a, b) => a.version - b.version);
    this.#ended = 0;
  }

  #skip(): void {
    this.#head += 1;
    if (this.#head === this.#line.length) {
      this.#line = [];
      this.#head = 0;
    } else if (this.#head > SLACK && this.#head * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** A binary heap by version, smallest first. */
function pushHeap(heap: Waiter[], waiter: Waiter): void {
  let index = heap.push(waiter) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if ((heap[parent] as Waiter).version <= waiter.version) break;
    heap[index] = heap[parent] as Waiter;
    index = parent;
  }
  heap[index] = waiter;
}

function popHeap(heap: Waiter[]): void {
  const last = heap.pop() as Waiter;
  if (heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = index * 2 + 1;
    if (child >= heap.length) break;
    const right = child + 1;
    if (right < heap.length && (heap[right] as Waiter).version < (heap[child] as Waiter).version)
      child = right;
    if ((heap[child] as Waiter).version >= last.version) break;
    heap[index] = heap[child] as Waiter;
    index = child;
  }
  heap[index] = last;
}
