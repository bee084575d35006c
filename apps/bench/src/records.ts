/**
 * What is stored: keys and values made from their numbers, the same in every process and run.
 *
 * Keys are flat strings, as those that come from a socket are, and not ropes that the first look-up would flatten.
 * Values are all unlike each other: SQLite skips a rewrite that changes nothing.
 */

export interface BenchValue {
  readonly id: number;
  readonly name: string;
  readonly isActive: boolean;
  readonly seen: number;
  readonly note: string;
}

export type KeyOrder = "sequential" | "random";

const NOTE = "x".repeat(50);

export function recordKey(index: number, order: KeyOrder = "random"): string {
  const text =
    order === "sequential"
      ? `key:${String(index).padStart(12, "0")}`
      : `key:${scatter(index).toString(36).padStart(7, "0")}`;
  return Buffer.from(text, "latin1").toString("latin1");
}

export function keysOf(count: number, order: KeyOrder = "random", first = 0): string[] {
  return Array.from({ length: count }, (_, index) => recordKey(first + index, order));
}

export function recordValue(index: number): BenchValue {
  return {
    id: index,
    name: `name ${index % 1_000}`,
    isActive: index % 3 === 0,
    seen: 1.5 * index + 0.25,
    note: NOTE,
  };
}

export function valuesOf(count: number, first = 0): BenchValue[] {
  return Array.from({ length: count }, (_, index) => recordValue(first + index));
}

/** The keys in an order unlike the one in which they came in; repeatable. */
export function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items];
  for (let index = result.length - 1; index > 0; index -= 1) {
    const other = scatter(index) % (index + 1);
    [result[index], result[other]] = [result[other] as T, result[index] as T];
  }
  return result;
}

/** One to one over 32 bits, so that unlike numbers stay unlike: the finalizer of MurmurHash3 (Austin Appleby). */
function scatter(index: number): number {
  let bits = index >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
