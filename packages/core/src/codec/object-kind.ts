/**
 * What an object is by its internal slots, whatever its prototype, its `constructor` or `Symbol.toStringTag` says.
 * A prototype can be inherited without the slot (`Object.create(Date.prototype)`, error classes as written before
 * 2015) and the slot can be there without the prototype; only the slot says what an object holds.
 *
 * A `Proxy` is none of what it stands for: it has no slots but its own, and need not answer twice alike.
 */

import { types } from "node:util";

const typedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype) as object;
const typedArrayName = getter<string>(typedArrayPrototype, Symbol.toStringTag);
const typedArrayParts = partsOf(typedArrayPrototype);
const dataViewParts = partsOf(DataView.prototype);

/** Where the bytes of a view lie, read past properties of its own. */
interface ViewParts {
  readonly buffer: (view: object) => ArrayBufferLike;
  readonly byteOffset: (view: object) => number;
  readonly byteLength: (view: object) => number;
}

const FLAGS: readonly (readonly [flag: string, isSet: (regExp: object) => boolean])[] = [
  ["d", getter(RegExp.prototype, "hasIndices")],
  ["g", getter(RegExp.prototype, "global")],
  ["i", getter(RegExp.prototype, "ignoreCase")],
  ["m", getter(RegExp.prototype, "multiline")],
  ["s", getter(RegExp.prototype, "dotAll")],
  ["u", getter(RegExp.prototype, "unicode")],
  ["v", getter(RegExp.prototype, "unicodeSets")],
  ["y", getter(RegExp.prototype, "sticky")],
];

/** The types that hold more than their properties show. */
const OPAQUE: readonly (readonly [type: string, test: (object: object) => boolean])[] = [
  ["Date", types.isDate],
  ["Map", types.isMap],
  ["Set", types.isSet],
  ["RegExp", types.isRegExp],
  ["Error", types.isNativeError],
  ["ArrayBuffer", types.isArrayBuffer],
  ["SharedArrayBuffer", types.isSharedArrayBuffer],
  ["Promise", types.isPromise],
  ["WeakMap", types.isWeakMap],
  ["WeakSet", types.isWeakSet],
  ["Number", types.isNumberObject],
  ["String", types.isStringObject],
  ["Boolean", types.isBooleanObject],
  ["BigInt", types.isBigIntObject],
  ["Symbol", types.isSymbolObject],
  ["Generator", types.isGeneratorObject],
  ["Map Iterator", types.isMapIterator],
  ["Set Iterator", types.isSetIterator],
  ["Arguments", types.isArgumentsObject],
  ["Module", types.isModuleNamespaceObject],
  ["External", types.isExternal],
];

/** True for a `Proxy`, a revoked one too; no trap is called. */
export const isProxy: (object: object) => boolean = types.isProxy;

/**
 * True for a plain object and an instance of a class, whose own properties are all that it holds. It must be no
 * proxy, array, view or error. A type without a test in Node is known by its `Symbol.toStringTag` alone.
 */
export function isOrdinary(object: object, keyCount: number): boolean {
  if (tagOf(object) !== "Object") return false;
  // `Object.prototype.toString` sees the slot of a date, an error or a boxed primitive; that of a map or a promise
  // only through the tag that its prototype has. Someone changed that tag, or took the prototype away, when it is
  // "Object" all the same: then all tests are worth their time.
  const isSuspect = keyCount === 0 || (!hasPlainPrototype(object) && Symbol.toStringTag in object);
  return !isSuspect || opaqueTypeOf(object) === undefined;
}

/** The name of any object's type, for a message. */
export function typeNameOf(object: object): string {
  if (isProxy(object)) return "Proxy";
  if (ArrayBuffer.isView(object)) return viewTypeOf(object);
  return opaqueTypeOf(object) ?? tagOf(object);
}

/** The type name of a view; `Buffer` is a `Uint8Array` that inherits from `Buffer`. */
export function viewTypeOf(view: ArrayBufferView): string {
  const name = typedArrayName(view);
  if (name === "Uint8Array" && view instanceof Buffer) return "Buffer";
  return name ?? "DataView";
}

/** The bytes in view, where they lie: not a copy. */
export function bytesInView(view: ArrayBufferView): Uint8Array {
  const parts = typedArrayName(view) === undefined ? dataViewParts : typedArrayParts;
  return new Uint8Array(parts.buffer(view), parts.byteOffset(view), parts.byteLength(view));
}

/** The pattern of a `RegExp`. */
export const sourceOf: (regExp: object) => string = getter(RegExp.prototype, "source");

/** The flags of a `RegExp`, each asked for by itself: `flags` would ask properties that may be its own. */
export function flagsOf(regExp: object): string {
  let flags = "";
  for (const [flag, isSet] of FLAGS) if (isSet(regExp)) flags += flag;
  return flags;
}

/** How many bytes a typed array has. */
export const byteLengthOf: (view: Uint8Array) => number = typedArrayParts.byteLength;

function opaqueTypeOf(object: object): string | undefined {
  for (const [type, test] of OPAQUE) if (test(object)) return type;
  return undefined;
}

function hasPlainPrototype(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  return prototype === Object.prototype || prototype === null;
}

/** The type name of an object by some internal slots, or by what its class says through `Symbol.toStringTag`. */
function tagOf(object: object): string {
  return Object.prototype.toString.call(object).slice(8, -1);
}

/** Calls the getter that a built-in prototype has, whatever stands before it on the object. */
function getter<T>(prototype: object, name: PropertyKey): (object: object) => T {
  const get = Object.getOwnPropertyDescriptor(prototype, name)?.get as (this: object) => T;
  return (object) => get.call(object);
}

function partsOf(prototype: object): ViewParts {
  return {
    buffer: getter(prototype, "buffer"),
    byteOffset: getter(prototype, "byteOffset"),
    byteLength: getter(prototype, "byteLength"),
  };
}
