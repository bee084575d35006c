/**
 * What crosses between a process adapter and its process, by Node's channel in advanced serialization: bytes stay
 * bytes. Errors are the exception: the clone of one drops `kind` and `code`, so they cross as plain fields.
 */

import {
  type AdapterContext,
  AdapterError,
  type ErrorCode,
  type FailureKind,
  type Mutation,
  type StoredRecord,
} from "@leakdb/core/adapter";

export interface ScanRange {
  readonly prefix?: string;
  readonly after?: string;
}

/** What makes the adapter in its process. */
export interface Origin {
  readonly module: string;
  readonly factory: string;
  readonly options: unknown;
}

export type Call =
  | { readonly type: "open"; readonly origin: Origin; readonly limits: AdapterContext["limits"] }
  | { readonly type: "write"; readonly batch: readonly Mutation[] }
  | { readonly type: "load"; readonly keys: readonly string[] }
  /** The next page of the scan of that number, which the first call begins. Answers `undefined` at its end. */
  | { readonly type: "page"; readonly scan: number; readonly range: ScanRange }
  | { readonly type: "leave scan"; readonly scan: number }
  | { readonly type: "sync" }
  | { readonly type: "close" };

export type ToProcess =
  | { readonly type: "call"; readonly id: number; readonly call: Call }
  | { readonly type: "abort"; readonly id: number; readonly reason: WireError };

export type FromProcess =
  | { readonly type: "answer"; readonly id: number; readonly result: unknown }
  | { readonly type: "failure"; readonly id: number; readonly error: WireError }
  | { readonly type: "report"; readonly error: WireError };

/** A {@link WriteResult} on its way. */
export interface WireResult {
  readonly bytes: number;
  readonly rejected?: readonly { readonly index: number; readonly error: WireError }[];
}

export type WirePage = readonly StoredRecord[] | undefined;

export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** `undefined` where the error had none, so that it stays one without. */
  readonly kind: FailureKind | undefined;
  readonly code: unknown;
  readonly cause: WireError | undefined;
}

const CAUSE_DEPTH_MAX = 4;
const KINDS: readonly unknown[] = ["transient", "permanent", "ambiguous"];

/** @param error anything that was thrown. */
export function toWire(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) {
    return {
      name: "Error",
      message: String(error),
      stack: undefined,
      kind: undefined,
      code: undefined,
      cause: undefined,
    };
  }
  const { name, message, stack, cause } = error;
  const { kind, code } = error as { kind?: unknown; code?: unknown };
  return {
    name,
    message,
    stack,
    kind: KINDS.includes(kind) ? (kind as FailureKind) : undefined,
    code: typeof code === "string" || typeof code === "number" ? code : undefined,
    cause: cause === undefined || depth >= CAUSE_DEPTH_MAX ? undefined : toWire(cause, depth + 1),
  };
}

/** An `AdapterError` where it was one by its `kind`, else a plain error: its kind and its code are as they were. */
export function fromWire(wire: WireError): Error {
  const { name, message, stack, kind } = wire;
  const code = wire.code as ErrorCode | undefined;
  const cause = wire.cause === undefined ? {} : { cause: fromWire(wire.cause) };
  let error: Error;
  if (kind !== undefined) {
    error = new AdapterError(message, { kind, ...(code === undefined ? {} : { code }), ...cause });
  } else {
    error = new Error(message, cause);
    error.name = name;
    if (code !== undefined) Object.assign(error, { code });
  }
  if (stack !== undefined) error.stack = stack;
  return error;
}
