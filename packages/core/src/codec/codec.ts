/** Values to bytes and back. Pure and synchronous; one codec serves one store. */
export interface Codec {
  /** Stands in errors and in `stats()`. */
  readonly name: string;
  /**
   * The value as bytes, which the caller owns from then on: a `Uint8Array` or `Buffer`, at once and not as a promise.
   * A property that is looked at and then read again may be an accessor that answers differently: read it once.
   * @throws when the value, or anything inside it, cannot be encoded; never alters it silently. Whatever it throws,
   * and whatever it returns that is no `Uint8Array`, is `LEAKDB_ENCODE_FAILED` for the store's caller.
   */
  encode(value: unknown): Uint8Array;
  /**
   * Optional, and only for speed: the same bytes as `encode`, written into `target` from `start` on. Where they end, or -1
   * when they do not fit, and whatever was written then does not count.
   */
  encodeInto?(value: unknown, target: Uint8Array, start: number): number;
  /** A new value at each call. @throws when the bytes are not what `encode` made. */
  decode(bytes: Uint8Array): unknown;
}
