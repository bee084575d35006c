/**
 * The way back from the table of nodes that `object-graph.ts` makes. The table may come from damaged or hostile
 * bytes: each kind, slot and reference is checked, depth is bounded, and nothing is made of the size that a number
 * asks for.
 */

import { KIND, VIEW_TYPES } from "./graph-node.js";
import { DEPTH_MAX } from "./plain-values.js";

/** A longer sparse array is made in V8's dictionary mode, which takes room for its elements alone. */
const HOLES_MAX = 1_024;
const ARRAY_LENGTH_MAX = 2 ** 32 - 1;

const ERROR_TYPES: ReadonlyMap<string, () => Error> = new Map<string, () => Error>([
  ["Error", () => new Error()],
  ["EvalError", () => new EvalError()],
  ["RangeError", () => new RangeError()],
  ["ReferenceError", () => new ReferenceError()],
  ["SyntaxError", () => new SyntaxError()],
  ["TypeError", () => new TypeError()],
  ["URIError", () => new URIError()],
  ["AggregateError", () => new AggregateError([])],
]);

/** @throws Error when the table is not one that `flattenGraph` made. */
export function rebuildGraph(table: unknown): unknown {
  if (!Array.isArray(table) || table.length === 0) throw damaged();
  return new Rebuilding(table).run();
}

class Rebuilding {
  private readonly members: unknown[];
  private readonly depths: number[] = [1];
  /** The node that must be the next one to be referred to for the first time. */
  private next = 1;
  private current = 0;

  constructor(private readonly table: readonly unknown[]) {
    this.members = table.map(shellOf);
  }

  run(): unknown {
    for (; this.current < this.table.length; this.current++) {
      // A node that nothing before it refers to.
      if (this.current >= this.next) throw damaged();
      this.fill(this.members[this.current], this.table[this.current] as readonly unknown[]);
    }
    return this.members[0];
  }

  private fill(member: unknown, node: readonly unknown[]): void {
    switch (node[0]) {
      case KIND.object:
        this.fillProperties(member as object, node, 1, node.length, true);
        break;
      case KIND.array:
        for (let index = 1; index < node.length; index++)
          (member as unknown[]).push(this.resolve(node[index]));
        break;
      case KIND.sparseArray:
        this.fillProperties(member as object, node, 2, node.length, true);
        break;
      case KIND.map:
        this.fillMap(member as Map<unknown, unknown>, node);
        break;
      case KIND.set:
        for (let index = 1; index < node.length; index++)
          (member as Set<unknown>).add(this.resolve(node[index]));
        break;
      case KIND.error:
        this.fillError(member as Error, node);
        break;
      default:
      // Whole already: its slots refer to no other node.
    }
  }

  private fillMap(map: Map<unknown, unknown>, node: readonly unknown[]): void {
    if (node.length % 2 === 0) throw damaged();
    for (let index = 1; index < node.length; index += 2) {
      const key = this.resolve(node[index]);
      map.set(key, this.resolve(node[index + 1]));
    }
  }

  private fillError(error: Error, node: readonly unknown[]): void {
    const hiddenCount = node[2];
    if (typeof hiddenCount !== "number" || !(hiddenCount >= 0)) throw damaged();
    const visibleFrom = 3 + hiddenCount * 2;
    if (!Number.isInteger(visibleFrom) || visibleFrom > node.length) throw damaged();
    this.fillProperties(error, node, 3, visibleFrom, false);
    this.fillProperties(error, node, visibleFrom, node.length, true);
  }

  private fillProperties(
    object: object,
    node: readonly unknown[],
    from: number,
    to: number,
    enumerable: boolean,
  ): void {
    if ((to - from) % 2 !== 0) throw damaged();
    for (let index = from; index < to; index += 2) {
      const key = this.resolve(node[index]);
      if (typeof key !== "string" || (key === "length" && Array.isArray(object))) throw damaged();
      const value = this.resolve(node[index + 1]);
      // Assignment to __proto__ would change the prototype, and assignment cannot hide.
      if (enumerable && key !== "__proto__") (object as Record<string, unknown>)[key] = value;
      else Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
    }
  }

  private resolve(slot: unknown): unknown {
    if (typeof slot !== "object" || slot === null) return slot;
    const number: unknown = Array.isArray(slot) && slot.length === 1 ? slot[0] : undefined;
    const isMet =
      typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= this.next;
    if (!isMet || number >= this.members.length) throw damaged();
    if (number === this.next) {
      const member = this.members[number];
      const depth = (this.depths[this.current] as number) + (typeof member === "object" ? 1 : 0);
      if (depth > DEPTH_MAX) throw new Error(`it is nested deeper than ${DEPTH_MAX} levels`);
      this.depths.push(depth);
      this.next++;
    }
    return this.members[number];
  }
}

/** The node's value, still without what its slots refer to. */
function shellOf(node: unknown): unknown {
  if (!Array.isArray(node)) throw damaged();
  switch (node[0]) {
    case KIND.object:
      return {};
    case KIND.array:
      return [];
    case KIND.sparseArray:
      return sparseArray(node[1]);
    case KIND.map:
      return new Map();
    case KIND.set:
      return new Set();
    case KIND.date:
      if (typeof node[1] !== "number" || node.length !== 2) throw damaged();
      return new Date(node[1]);
    case KIND.regExp:
      return regExpOf(node);
    case KIND.error: {
      const make = ERROR_TYPES.get(String(node[1]));
      if (make === undefined) throw damaged();
      return bareError(make());
    }
    case KIND.view:
      return viewOf(node[1], bytesOf(node[2]));
    case KIND.arrayBuffer:
      return bytesOf(node[1]);
    case KIND.negativeZero:
      return -0;
    case KIND.string:
      return textOf(node[1]);
    default:
      throw damaged();
  }
}

function regExpOf(node: readonly unknown[]): RegExp {
  const [, source, flags, lastIndex] = node;
  if (node.length !== 4 || typeof flags !== "string" || typeof lastIndex !== "number") throw damaged();
  const regExp = new RegExp(textOf(source), flags);
  regExp.lastIndex = lastIndex;
  return regExp;
}

function textOf(slot: unknown): string {
  return Buffer.from(bytesOf(slot)).toString("utf16le");
}

function sparseArray(length: unknown): unknown[] {
  const isLength = typeof length === "number" && Number.isInteger(length) && length >= 0;
  if (!isLength || length > ARRAY_LENGTH_MAX) throw damaged();
  const array: unknown[] = [];
  // From the greatest length down: V8 then never makes room for the holes.
  if (length > HOLES_MAX) array.length = ARRAY_LENGTH_MAX;
  array.length = length;
  return array;
}

/** Without what its constructor gave it: a stack of the decoder, a message it may never have had. */
function bareError(error: Error): Error {
  for (const name of Object.getOwnPropertyNames(error)) Reflect.deleteProperty(error, name);
  return error;
}

function viewOf(type: unknown, buffer: ArrayBuffer): ArrayBufferView {
  if (type === "Buffer") return Buffer.from(buffer);
  const View = VIEW_TYPES.get(String(type));
  if (View === undefined) throw damaged();
  return new View(buffer);
}

function bytesOf(slot: unknown): ArrayBuffer {
  if (!(slot instanceof Uint8Array)) throw damaged();
  return new Uint8Array(slot).buffer;
}

function damaged(): Error {
  return new Error("the table of objects is damaged");
}
