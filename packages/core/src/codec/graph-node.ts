/** The nodes that `object-graph.ts` makes of a value and `object-graph-rebuild.ts` makes a value of. */

/** A primitive as it is, or `[n]`, which stands for node n. Bytes stand only where a kind has them. */
export type Slot = string | number | bigint | boolean | null | undefined | readonly [number];
export type Node = readonly [kind: number, ...slots: (Slot | Uint8Array)[]];

/** Kinds, with their slots. Written to disk: never renumber. */
export const KIND = {
  /** key, value, key, value, … */
  object: 0,
  /** element, … */
  array: 1,
  /** length, then key, value, …: holes, or properties besides the elements */
  sparseArray: 2,
  /** key, value, … */
  map: 3,
  /** member, … */
  set: 4,
  /** milliseconds since 1970, NaN for an invalid date */
  date: 5,
  /** source as UTF-16 bytes, flags, lastIndex */
  regExp: 6,
  /** type, count of hidden properties, then key, value, …: first the hidden, then the enumerable ones */
  error: 7,
  /** type, bytes */
  view: 8,
  /** bytes */
  arrayBuffer: 9,
  negativeZero: 10,
  /** UTF-16 bytes: a string that UTF-8 or msgpackr would change */
  string: 11,
} as const;

type ViewType = new (buffer: ArrayBuffer) => ArrayBufferView;

/** Views of bytes by their type name. Their bytes stand in the order of the machine, as in memory. */
export const VIEW_TYPES: ReadonlyMap<string, ViewType> = new Map<string, ViewType>([
  ["Int8Array", Int8Array],
  ["Uint8Array", Uint8Array],
  ["Uint8ClampedArray", Uint8ClampedArray],
  ["Int16Array", Int16Array],
  ["Uint16Array", Uint16Array],
  ["Int32Array", Int32Array],
  ["Uint32Array", Uint32Array],
  ["Float32Array", Float32Array],
  ["Float64Array", Float64Array],
  ["BigInt64Array", BigInt64Array],
  ["BigUint64Array", BigUint64Array],
  ["DataView", DataView],
]);
