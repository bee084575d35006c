/**
 * A dead letter as an entry's value: why it is one, and of a put what was to be stored.
 *
 * ```
 * | bytes of the reason u32 | reason, JSON | the encoded value of a put |
 * ```
 */

import { ERROR_CODES, type ErrorCode, LeakDBError } from "../errors.js";

/** Why a dead letter is one, as far as it can be written down. */
export interface DeadReason {
  readonly error: Error;
  readonly attempts: number;
}

interface WrittenReason {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly attempts: number;
}

/** A message may be anybody's: this much of it is kept. */
const MESSAGE_LENGTH_MAX = 4_000;

export function writeDeadEntry({ error, attempts }: DeadReason, value?: Uint8Array): Uint8Array {
  const { name, message } = error;
  const code: unknown = (error as { code?: unknown }).code;
  const reason: WrittenReason = {
    name: String(name),
    message: String(message).slice(0, MESSAGE_LENGTH_MAX),
    attempts,
    ...(typeof code === "string" ? { code } : {}),
  };
  const json = Buffer.from(JSON.stringify(reason));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat(value === undefined ? [length, json] : [length, json, value]);
}

/** The reason, and the value's bytes, empty but of a put. @throws SyntaxError, RangeError where it is none */
export function readDeadEntry(bytes: Buffer): DeadReason & { readonly value: Buffer } {
  const end = 4 + bytes.readUInt32LE(0);
  const reason = JSON.parse(bytes.toString("utf8", 4, end)) as WrittenReason;
  return { error: errorOf(reason), attempts: reason.attempts, value: bytes.subarray(end) };
}

function errorOf({ name, message, code }: WrittenReason): Error {
  const isOurs = (ERROR_CODES as readonly unknown[]).includes(code);
  const error = isOurs ? new LeakDBError(code as ErrorCode, message) : new Error(message);
  // Where it is read is not where it was thrown.
  error.stack = `${name}: ${message}`;
  if (!isOurs) Object.assign(error, code === undefined ? { name } : { name, code });
  return error;
}
