/**
 * What the two sides say to each other. Every message to the thread carries `now`, the time of the clock that core
 * gave: the thread has no other time, so a clock that a test moves by hand moves both sides.
 */

import type { AdapterContext } from "../adapter.js";
import type { WireError } from "./wire-error.js";

/** The calls of {@link import("../adapter.js").Adapter}, each answered by exactly one `settled`. */
export type Call =
  | { readonly type: "open"; readonly limits: AdapterContext["limits"] }
  | { readonly type: "write"; readonly batch: ArrayBuffer }
  | { readonly type: "load"; readonly keys: readonly string[] }
  | { readonly type: "scan"; readonly prefix: string | undefined; readonly after: string | undefined }
  | { readonly type: "sync" }
  | { readonly type: "close" };

/** What needs no answer. `call` is the id of a {@link Call} that is under way. */
export type Notice =
  | { readonly type: "abort"; readonly call: number }
  /** The main side has taken a page of the scan. */
  | { readonly type: "taken"; readonly call: number }
  /** The main side wants no more pages of the scan. */
  | { readonly type: "enough"; readonly call: number }
  | { readonly type: "timer"; readonly timer: number }
  | { readonly type: "kill" };

export type ToThread = ((Call & { readonly id: number }) | Notice) & { readonly now: number };

export interface Settled {
  readonly type: "settled";
  readonly id: number;
  readonly result: unknown;
  readonly error: WireError | undefined;
  /** The buffer of a batch on its way back to be used again, or the records of a `load`. */
  readonly buffer: ArrayBuffer | undefined;
}

/** `write`: `rejected` with errors in their form for the wire. */
export interface WireWriteResult {
  readonly bytes: number;
  readonly rejected: readonly { readonly index: number; readonly error: WireError }[];
}

export type FromThread =
  | Settled
  | { readonly type: "page"; readonly id: number; readonly buffer: ArrayBuffer }
  | { readonly type: "report"; readonly error: WireError }
  | { readonly type: "setTimeout"; readonly timer: number; readonly delayMs: number; readonly idle: boolean }
  | { readonly type: "clearTimeout"; readonly timer: number };

/** How many pages of a scan may be on their way: enough that reading and decoding overlap, few enough to be bounded. */
export const SCAN_READ_AHEAD_PAGES = 4;
