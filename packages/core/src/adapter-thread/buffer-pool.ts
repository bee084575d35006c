/**
 * Buffers of batches, used again when the thread sends them back: a fresh buffer of some megabytes costs the main
 * thread a page fault for every 4 KiB it writes. Bounded in number and in size (I5).
 */

const BUFFERS_MAX = 2;
const BUFFER_BYTES_MIN = 64 * 1024;
const BUFFER_BYTES_MAX = 32 * 1024 * 1024;

export class BufferPool {
  readonly #free: ArrayBuffer[] = [];

  /** A buffer of at least `bytes` bytes, with anything in it. */
  take(bytes: number): ArrayBuffer {
    const index = this.#free.findIndex((buffer) => buffer.byteLength >= bytes);
    if (index >= 0) return this.#free.splice(index, 1)[0] as ArrayBuffer;
    if (bytes > BUFFER_BYTES_MAX) return new ArrayBuffer(bytes);
    return new ArrayBuffer(Math.max(BUFFER_BYTES_MIN, 2 ** Math.ceil(Math.log2(bytes))));
  }

  give(buffer: ArrayBuffer): void {
    if (buffer.byteLength > BUFFER_BYTES_MAX || buffer.byteLength === 0) return;
    if (this.#free.length >= BUFFERS_MAX) this.#free.shift();
    this.#free.push(buffer);
  }
}
