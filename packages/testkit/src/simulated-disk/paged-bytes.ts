/**
 * The bytes of a simulated file, in pages that copies share: a copy costs a reference a page, so that a disk can be
 * copied at each of its operations. What was never written reads as zeros.
 */

const PAGE_BYTES = 4096;

export class PagedBytes {
  /** A page is never written again: who changes it replaces it. */
  #pages: (Uint8Array | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  copy(): PagedBytes {
    const copy = new PagedBytes();
    copy.#pages = [...this.#pages];
    copy.#size = this.#size;
    return copy;
  }

  write(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      const start = (position + done) % PAGE_BYTES;
      const part = bytes.subarray(done, done + PAGE_BYTES - start);
      this.#changePage(Math.floor((position + done) / PAGE_BYTES), (page) => page.set(part, start));
      done += part.length;
    }
    this.#size = Math.max(this.#size, position + bytes.length);
  }

  /** Cuts the file off, or makes it longer by zeros. */
  truncate(bytes: number): void {
    if (bytes < this.#size) {
      this.#pages.length = Math.min(this.#pages.length, Math.ceil(bytes / PAGE_BYTES));
      const start = bytes % PAGE_BYTES;
      // What a later write leaves out in between must read as zeros.
      if (start > 0) this.#changePage(Math.floor(bytes / PAGE_BYTES), (page) => page.fill(0, start));
    }
    this.#size = bytes;
  }

  /** How many bytes it read into the start of `target`, fewer than asked for at the end alone. */
  read(target: Uint8Array, position: number): number {
    const bytes = Math.max(0, Math.min(target.length, this.#size - position));
    for (let done = 0; done < bytes; ) {
      const start = (position + done) % PAGE_BYTES;
      const length = Math.min(bytes - done, PAGE_BYTES - start);
      const page = this.#pages[Math.floor((position + done) / PAGE_BYTES)];
      if (page === undefined) target.fill(0, done, done + length);
      else target.set(page.subarray(start, start + length), done);
      done += length;
    }
    return bytes;
  }

  #changePage(index: number, change: (page: Uint8Array) => void): void {
    const page = new Uint8Array(PAGE_BYTES);
    const former = this.#pages[index];
    if (former !== undefined) page.set(former);
    change(page);
    this.#pages[index] = page;
  }
}
