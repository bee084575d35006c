/**
 * Reads one segment, frame by frame, and tells what a crash has torn from what was damaged.
 *
 * A frame that is not sound ends the journal, if nothing that was once synced stands behind it: a crash took what was
 * under way. Where a later frame, or the next segment, says that this place was on the disk already, it is damage, and
 * what stands behind it cannot be relied on either: `LEAKDB_CORRUPTION`, with the file and the place.
 */

import { claimedBytes, FRAME_HEADER_BYTES, type Frame, readFrame } from "./frame.js";
import type { JournalFile } from "./journal-files.js";
import { SEGMENT_HEADER_BYTES } from "./segment-header.js";

const WINDOW_BYTES = 1024 * 1024;
const MAGIC_BYTES = Buffer.from("LKJF");

export class SegmentReader {
  readonly #file: JournalFile;
  readonly #salt: number;
  readonly size: number;
  /** Where the next frame begins. */
  position = SEGMENT_HEADER_BYTES;
  /** What has been read of the file; never written again, as values may be views of it. */
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;

  constructor(file: JournalFile, salt: number, size: number) {
    this.#file = file;
    this.#salt = salt;
    this.size = size;
  }

  /** The next frame; `undefined` at the end, and where no sound frame stands at `position`. */
  async next(): Promise<Frame | undefined> {
    const frame = await this.#frameAt(this.position);
    if (frame !== undefined) this.position += frame.bytes;
    return frame;
  }

  /** The next sound frame somewhere after `position`, which it moves there. */
  async seek(): Promise<Frame | undefined> {
    for (let from = this.position + 1; from + FRAME_HEADER_BYTES <= this.size; ) {
      await this.#load(from, FRAME_HEADER_BYTES);
      const found = this.#window.indexOf(MAGIC_BYTES, from - this.#windowStart);
      if (found < 0) {
        // The magic may stand across the end of the window.
        from = Math.max(from + 1, this.#windowStart + this.#window.length - MAGIC_BYTES.length + 1);
        continue;
      }
      const offset = this.#windowStart + found;
      const frame = await this.#frameAt(offset);
      if (frame !== undefined) {
        this.position = offset + frame.bytes;
        return frame;
      }
      from = offset + 1;
    }
    this.position = this.size;
    return undefined;
  }

  async #frameAt(offset: number): Promise<Frame | undefined> {
    if (offset + FRAME_HEADER_BYTES > this.size) return undefined;
    await this.#load(offset, FRAME_HEADER_BYTES);
    const bytes = claimedBytes(this.#window, offset - this.#windowStart, offset);
    // A length that the file does not have is no frame's, and nothing is allocated for it.
    if (bytes === undefined || offset + bytes > this.size) return undefined;
    await this.#load(offset, bytes);
    return readFrame(this.#window, offset - this.#windowStart, bytes, this.#salt);
  }

  /** Sees that the window holds `bytes` bytes from `offset` on. */
  async #load(offset: number, bytes: number): Promise<void> {
    const end = this.#windowStart + this.#window.length;
    if (offset >= this.#windowStart && offset + bytes <= end) return;
    const wanted = Math.min(this.size - offset, Math.max(bytes, WINDOW_BYTES));
    const window = Buffer.allocUnsafeSlow(wanted);
    const known = offset >= this.#windowStart && offset < end ? end - offset : 0;
    if (known > 0) this.#window.copy(window, 0, offset - this.#windowStart);
    const read = await this.#file.read(window.subarray(known), offset + known);
    if (known + read < bytes) throw new Error("the file became shorter while it was read");
    this.#window = window.subarray(0, known + read);
    this.#windowStart = offset;
  }
}
