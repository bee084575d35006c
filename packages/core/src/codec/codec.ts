/** Values to bytes and back. Pure and synchronous; one codec serves one store. */
export interface Codec {
  /** Stands in errors and in `stats()`. */
  readonly name: string;
  /**
   * The value as bytes, which the caller owns from then on.
   * @throws when the value, or anything inside it, cannot be encoded; never alters it silently.
   */
  encode(value: unknown): Uint8Array;
  /** A new value at each call. @throws when the bytes are not what `encode` made. */
  decode(bytes: Uint8Array): unknown;
}
