/**
 * Finds the place in a stream of bytes at which something is to happen: after a number of bytes, or at a marker, which
 * may lie across chunks. Pure.
 */

export interface Position {
  /** This many bytes from the moment it was armed, on each connection by itself. Give this or `marker`. */
  readonly bytes?: number;
  /** The first time that these bytes pass. What TLS carries can't be seen. */
  readonly marker?: string | Buffer;
  /** Whether the marker itself still passes. Default `"after"`: it does. */
  readonly side?: "before" | "after";
}

export class ProxyTrigger {
  readonly #marker: Buffer | undefined;
  readonly #isBefore: boolean;
  #bytesLeft: number;
  /** The end of what passed, in which a marker may have begun. */
  #tail = Buffer.alloc(0);

  /** @throws RangeError unless the position is a whole number of bytes, or a marker that is not empty. */
  constructor({ bytes, marker, side = "after" }: Position) {
    this.#marker = marker === undefined ? undefined : Buffer.from(marker);
    this.#isBefore = side === "before";
    this.#bytesLeft = bytes ?? 0;
    const isValid =
      this.#marker === undefined ? Number.isSafeInteger(bytes) && bytes! >= 0 : this.#marker.length > 0;
    if (!isValid || (bytes !== undefined && marker !== undefined)) {
      throw new RangeError("a position is either a number of bytes from 0 on, or a marker that is not empty");
    }
  }

  /**
   * How many bytes of `chunk` pass before it fires; `undefined` when all of them do and it does not fire. With
   * `"before"`, the part of a marker that came in an earlier chunk has passed already.
   */
  look(chunk: Buffer): number | undefined {
    return this.#marker === undefined ? this.#count(chunk) : this.#find(chunk, this.#marker);
  }

  #count(chunk: Buffer): number | undefined {
    if (this.#bytesLeft <= chunk.length) return this.#bytesLeft;
    this.#bytesLeft -= chunk.length;
    return undefined;
  }

  #find(chunk: Buffer, marker: Buffer): number | undefined {
    const seen = Buffer.concat([this.#tail, chunk]);
    const at = seen.indexOf(marker);
    if (at >= 0) {
      const end = at + (this.#isBefore ? 0 : marker.length);
      return Math.max(0, end - this.#tail.length);
    }
    this.#tail = seen.subarray(Math.max(0, seen.length - marker.length + 1));
    return undefined;
  }
}
