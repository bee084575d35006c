/**
 * Errors as they cross between threads. Structured clone drops `code`, `kind` and the class of an error, which are
 * what core decides by; so an error travels as plain fields and is an {@link AdapterError} again on the other side.
 */

import { AdapterError, ERROR_CODES, type ErrorCode, type FailureKind, failureKind } from "../adapter.js";

/** How many causes of causes travel. */
const CAUSE_DEPTH_MAX = 4;

export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly kind: FailureKind;
  /** Any string or number the error carried: a code of LeakDB, of the client, or of Node. */
  readonly code: string | number | undefined;
  readonly cause: WireError | undefined;
}

/** @param error anything that was thrown. */
export function toWire(error: unknown, depth = 0): WireError {
  const fields = (typeof error === "object" && error !== null ? error : {}) as Partial<
    Record<keyof WireError, unknown>
  >;
  const { code, cause } = fields;
  return {
    name: typeof fields.name === "string" ? fields.name : "Error",
    message: typeof fields.message === "string" ? fields.message : String(error),
    stack: typeof fields.stack === "string" ? fields.stack : undefined,
    kind: failureKind(error),
    code: typeof code === "string" || typeof code === "number" ? code : undefined,
    cause: cause === undefined || depth >= CAUSE_DEPTH_MAX ? undefined : toWire(cause, depth + 1),
  };
}

function isErrorCode(code: unknown): code is ErrorCode {
  return (ERROR_CODES as readonly unknown[]).includes(code);
}

function causeFrom(wire: WireError): Error {
  const error = new Error(
    wire.message,
    wire.cause === undefined ? undefined : { cause: causeFrom(wire.cause) },
  );
  error.name = wire.name;
  if (wire.stack !== undefined) error.stack = wire.stack;
  return wire.code === undefined ? error : Object.assign(error, { code: wire.code });
}

/** The error again; what was no AdapterError over there becomes one whose `cause` it is. */
export function fromWire(wire: WireError): AdapterError {
  const code = isErrorCode(wire.code) ? { code: wire.code } : {};
  const cause = wire.name === "AdapterError" ? wire.cause : wire;
  return new AdapterError(wire.message, {
    kind: wire.kind,
    ...code,
    ...(cause === undefined ? {} : { cause: causeFrom(cause) }),
  });
}
