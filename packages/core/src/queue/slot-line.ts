/**
 * Slots of the table that wait for the journal, in the order in which they came. The journal empties the line with each
 * group, so it needs no ring: what was taken is forgotten when the line is empty.
 */

const FIRST_CAPACITY = 1_024;
/** A longer line is given back once it is empty. */
const KEPT_CAPACITY = 64 * 1_024;

export class SlotLine {
  #slots = new Int32Array(FIRST_CAPACITY);
  #head = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#head;
  }

  push(slot: number): void {
    if (this.#end === this.#slots.length) this.#makeRoom();
    this.#slots[this.#end] = slot;
    this.#end += 1;
  }

  /** The next slot, -1 when none waits. */
  take(): number {
    if (this.#head === this.#end) return -1;
    const slot = this.#slots[this.#head] as number;
    this.#head += 1;
    if (this.#head === this.#end) {
      this.#head = 0;
      this.#end = 0;
      if (this.#slots.length > KEPT_CAPACITY) this.#slots = new Int32Array(KEPT_CAPACITY);
    }
    return slot;
  }

  #makeRoom(): void {
    const waiting = this.#slots.subarray(this.#head, this.#end);
    const slots = new Int32Array(Math.max(FIRST_CAPACITY, waiting.length * 2));
    slots.set(waiting);
    this.#slots = slots;
    this.#end = waiting.length;
    this.#head = 0;
  }
}
