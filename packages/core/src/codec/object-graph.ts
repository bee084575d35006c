/**
 * Any structured-clone value as a flat table of nodes, and back: what `msgpack-codec.ts` writes for values that
 * are not plain trees.
 *
 * A node is an array: its kind, then its slots (see `graph-node.ts`). A slot is a primitive as it is, or `[n]`,
 * which stands for node n. Node 0 is the value itself; the others are numbered in the order in which a
 * breadth-first walk meets them, so that a node is first referred to by an earlier one. `rebuildGraph` holds the
 * table to that order: it finds damaged tables, and knows each node's depth without recursion. A property is read
 * once, and what a node is depends on the object's internal slots alone (see `object-kind.ts`).
 *
 * ```text
 *   a = { self: a, list: [ -0 ] }      0: [ object, "self", [0], "list", [1] ]
 *                                      1: [ array, [2] ]
 *                                      2: [ negative zero ]
 * ```
 */

import { types } from "node:util";
import { KIND, type Node, type Slot, VIEW_TYPES } from "./graph-node.js";
import {
  bytesInView,
  flagsOf,
  isOrdinary,
  isProxy,
  sourceOf,
  typeNameOf,
  viewTypeOf,
} from "./object-kind.js";
import { DEPTH_MAX, isDenseArray, isPlainString } from "./plain-values.js";
import { elementStep, propertyStep, valuePath } from "./value-path.js";

/** @throws TypeError or RangeError that names the part which cannot be encoded. */
export function flattenGraph(value: unknown): Node[] {
  return new Flattening().run(value);
}

class Flattening {
  /** What node n is made of; everything a slot cannot hold. */
  private readonly members: unknown[] = [];
  private readonly numbers = new Map<object, number>();
  private readonly depths: number[] = [];
  private readonly parents: number[] = [];
  private readonly steps: string[] = [];
  private readonly nodes: Node[] = [];
  private current = -1;

  run(root: unknown): Node[] {
    this.slot(root, "");
    // members grows while it is walked.
    for (let index = 0; index < this.members.length; index++) {
      this.current = index;
      const member = this.members[index];
      this.nodes.push(typeof member === "object" ? this.objectNode(member as object) : leafNode(member));
    }
    return this.nodes;
  }

  private slot(value: unknown, step: string): Slot {
    switch (typeof value) {
      case "object":
        if (value === null) return null;
        return [this.numbers.get(value) ?? this.add(value, step)];
      case "string":
        return isPlainString(value) ? value : [this.add(value, step)];
      case "number":
        return Object.is(value, -0) ? [this.add(value, step)] : value;
      case "function":
      case "symbol":
        throw this.refusal(`is a ${typeof value}`, step);
      default:
        return value as bigint | boolean | undefined;
    }
  }

  private add(member: unknown, step: string): number {
    const number = this.members.push(member) - 1;
    const isObject = typeof member === "object";
    const depth = (this.depths[this.current] ?? 0) + (isObject ? 1 : 0);
    this.parents.push(this.current);
    this.steps.push(step);
    this.depths.push(depth);
    if (depth > DEPTH_MAX) {
      throw new RangeError(`${this.path(number, "")} is nested deeper than ${DEPTH_MAX} levels`);
    }
    if (isObject) this.numbers.set(member as object, number);
    return number;
  }

  private objectNode(object: object): Node {
    if (isProxy(object)) throw this.refusal("is a Proxy", "");
    if (Object.getOwnPropertySymbols(object).length > 0) {
      throw this.refusal("has a property whose key is a symbol", "");
    }
    if (Array.isArray(object)) return this.arrayNode(object);
    if (ArrayBuffer.isView(object)) return this.viewNode(object);
    if (types.isNativeError(object)) return this.errorNode(object);
    const keys = Object.keys(object);
    const node = this.builtInNode(object);
    if (node === undefined) {
      if (!isOrdinary(object, keys.length)) throw this.refusal(`is a ${typeNameOf(object)}`, "");
      return [KIND.object, ...this.properties(object, keys)];
    }
    if (keys.length > 0) throw this.refusal(`is a ${typeNameOf(object)} with own properties`, "");
    return node;
  }

  private builtInNode(object: object): Node | undefined {
    if (types.isDate(object)) return [KIND.date, Date.prototype.getTime.call(object)];
    if (types.isRegExp(object)) return this.regExpNode(object);
    if (types.isMap(object)) {
      const slots: Slot[] = [];
      Map.prototype.forEach.call(object, (value: unknown, key: unknown) => {
        const index = slots.length / 2;
        slots.push(this.slot(key, `<key ${index}>`), this.slot(value, `<value ${index}>`));
      });
      return [KIND.map, ...slots];
    }
    if (types.isSet(object)) {
      const slots: Slot[] = [];
      Set.prototype.forEach.call(object, (value: unknown) => {
        slots.push(this.slot(value, `<value ${slots.length}>`));
      });
      return [KIND.set, ...slots];
    }
    return types.isArrayBuffer(object) ? [KIND.arrayBuffer, new Uint8Array(object)] : undefined;
  }

  private regExpNode(regExp: RegExp): Node {
    const { lastIndex } = regExp;
    if (!Number.isSafeInteger(lastIndex) || Object.is(lastIndex, -0)) {
      throw this.refusal("is a RegExp whose lastIndex is not an integer", "");
    }
    return [KIND.regExp, Buffer.from(sourceOf(regExp), "utf16le"), flagsOf(regExp), lastIndex];
  }

  private arrayNode(array: readonly unknown[]): Node {
    const { length } = array;
    if (!isDenseArray(array)) {
      return [KIND.sparseArray, length, ...this.properties(array, Object.keys(array))];
    }
    const slots: Slot[] = [];
    for (let index = 0; index < length; index++) slots.push(this.slot(array[index], elementStep(index)));
    return [KIND.array, ...slots];
  }

  /** The hidden properties (`message`, `stack`, `cause`) stand first, and their count before them. */
  private errorNode(error: Error): Node {
    const visible = Object.keys(error);
    const hidden = Object.getOwnPropertyNames(error).filter((name) => !visible.includes(name));
    const type = errorTypeOf(error);
    const slots = this.properties(error, hidden);
    // A class that names its errors on its prototype loses the prototype; the name is kept.
    if (!hidden.includes("name") && !visible.includes("name")) {
      const { name } = error;
      if (name !== type) slots.push("name", this.slot(name, ".name"));
    }
    const hiddenCount = slots.length / 2;
    return [KIND.error, type, hiddenCount, ...slots, ...this.properties(error, visible)];
  }

  /** Only the bytes in view: the buffer behind it may be a pool that holds strangers' bytes. */
  private viewNode(view: ArrayBufferView): Node {
    const type = viewTypeOf(view);
    if (type !== "Buffer" && !VIEW_TYPES.has(type)) throw this.refusal(`is a ${type}`, "");
    return [KIND.view, type, bytesInView(view)];
  }

  private properties(object: object, keys: readonly string[]): Slot[] {
    const slots: Slot[] = [];
    for (const key of keys) {
      const step = propertyStep(key);
      slots.push(this.slot(key, step), this.slot((object as Record<string, unknown>)[key], step));
    }
    return slots;
  }

  private refusal(what: string, step: string): TypeError {
    return new TypeError(`${this.path(this.current, step)} ${what}, which cannot be encoded`);
  }

  private path(number: number, lastStep: string): string {
    let steps = lastStep;
    for (let index = number; index > 0; index = this.parents[index] as number) {
      steps = this.steps[index] + steps;
    }
    return valuePath(steps);
  }
}

const ERROR_TYPES = [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError];

function errorTypeOf(error: Error): string {
  return ERROR_TYPES.find((type) => error instanceof type)?.name ?? "Error";
}

function leafNode(member: unknown): Node {
  return typeof member === "string" ? [KIND.string, Buffer.from(member, "utf16le")] : [KIND.negativeZero];
}
