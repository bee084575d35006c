/**
 * Walks the pages of an LMDB file through plain reads, before LMDB maps it: LMDB trusts its pages, and one that is
 * missing or damaged ends the process by a signal, or is read past its end.
 *
 * Keeps:
 * - Whatever the bytes are, a walk ends: no page is met twice, none outside of the file, none deeper than it says.
 * - A tree that passes has all its pages, each with nodes that lie inside of it. What the nodes say is not its matter:
 *   records have checksums.
 *
 * The layout is that of LMDB's data version 2 on 64-bit little-endian machines (`MDB_page_header`, `MDB_node` and
 * `MDB_db` in its `mdb.c`):
 *
 * ```
 * page  | pgno u64 | txnid u64 | pad u16 | flags u16 | lower u16 | upper u16 | offsets of nodes u16[] … nodes |
 * node  | low u16 | high u16 | flags u16 | key bytes u16 | key | data |
 *       a leaf's low and high are the bytes of its data, a branch's are its child, flags the top of that
 * tree  | pad u32 | flags u16 | depth u16 | branch u64 | leaf u64 | overflow u64 | entries u64 | root u64 |
 * ```
 */

import { readSync } from "node:fs";

const PAGE_HEADER_BYTES = 24;
const NODE_HEADER_BYTES = 8;
export const TREE_BYTES = 48;
/** An overflow value's place: page, transaction, pages. */
const PLACE_BYTES = 24;
const DEPTH_MAX = 32;

const P_BRANCH = 0x01;
const P_LEAF = 0x02;
const P_OVERFLOW = 0x04;

const F_BIGDATA = 0x01;
const F_SUBDATA = 0x02;

export interface Tree {
  readonly flags: number;
  readonly depth: number;
  readonly entries: number;
  /** `undefined` for an empty tree. */
  readonly root: number | undefined;
}

/** What a leaf holds under a key; `data` is `undefined` where it stands on pages of its own. */
export type VisitEntry = (key: Buffer, data: Buffer | undefined, isTree: boolean) => void;

/** The file is not as a sound one is. */
export class DamagedPages extends Error {
  override readonly name = "DamagedPages";
}

/** No sound file has numbers past 2^53 here: such a one becomes a page that is not there. */
export function readNumber(bytes: Buffer, offset: number): number {
  return Number(bytes.readBigUInt64LE(offset));
}

export function readTree(bytes: Buffer, offset: number): Tree {
  const root = bytes.readBigUInt64LE(offset + 40);
  return {
    flags: bytes.readUInt16LE(offset + 4),
    depth: bytes.readUInt16LE(offset + 6),
    entries: readNumber(bytes, offset + 32),
    root: root === 0xffff_ffff_ffff_ffffn ? undefined : Number(root),
  };
}

/** A page, as bytes and as the numbers of two bytes that it is made of. */
interface Room {
  readonly bytes: Buffer;
  readonly words: Uint16Array;
}

const even = (bytes: number): number => bytes + (bytes % 2);
const outside = (page: number): DamagedPages => new DamagedPages(`page ${page} has a node where none can be`);

export class PageFile {
  readonly #descriptor: number;
  readonly #pageBytes: number;
  readonly #pages: number;
  readonly #transaction: number;
  /** A bit for each page that belongs to a tree. */
  readonly #met: Uint8Array;
  /** A page for each level of the way down. */
  readonly #levels: Room[] = [];
  #entries = 0;
  /** The highest page met. */
  last = 1;

  /** @param transaction the last one: a page that claims a later one would pass for one in memory. */
  constructor(descriptor: number, pageBytes: number, fileBytes: number, transaction: number) {
    this.#transaction = transaction;
    this.#descriptor = descriptor;
    this.#pageBytes = pageBytes;
    this.#pages = Math.floor(fileBytes / pageBytes);
    this.#met = new Uint8Array(Math.ceil(this.#pages / 8));
  }

  /** @throws DamagedPages; what `readSync` throws. */
  walk(tree: Tree, visit?: VisitEntry): void {
    this.#entries = 0;
    if (tree.root === undefined) {
      if (tree.depth !== 0 || tree.entries !== 0) throw new DamagedPages("an empty tree that counts entries");
      return;
    }
    if (tree.depth < 1 || tree.depth > DEPTH_MAX) throw new DamagedPages(`a tree of depth ${tree.depth}`);
    this.#walkPage(tree.root, tree.depth, 1, visit);
    if (this.#entries !== tree.entries) {
      throw new DamagedPages(`a tree of ${tree.entries} entries that holds ${this.#entries}`);
    }
  }

  #walkPage(page: number, depth: number, level: number, visit: VisitEntry | undefined): void {
    const isLeaf = level === depth;
    const { bytes, words } = this.#read(page, level);
    const count = (words[10] as number) >> 1;
    const upper = words[11] as number;
    const isSound =
      readNumber(bytes, 0) === page &&
      readNumber(bytes, 8) <= this.#transaction &&
      words[9] === (isLeaf ? P_LEAF : P_BRANCH) &&
      count > 0 &&
      2 * count <= upper &&
      PAGE_HEADER_BYTES + upper <= this.#pageBytes;
    if (!isSound) throw new DamagedPages(`page ${page} is not one of its tree`);
    let nodesBytes = 0;
    for (let index = 0; index < count; index += 1) {
      const offset = words[PAGE_HEADER_BYTES / 2 + index] as number;
      const node = offset + PAGE_HEADER_BYTES;
      if (offset < upper || offset % 2 !== 0 || node + NODE_HEADER_BYTES > this.#pageBytes)
        throw outside(page);
      nodesBytes += isLeaf
        ? this.#checkEntry(page, level, node, visit)
        : this.#checkBranch(page, level, node);
    }
    // Nodes fill the page from its end without a gap: where they would not, the next one would land on another.
    if (nodesBytes !== this.#pageBytes - PAGE_HEADER_BYTES - upper) throw outside(page);
    if (isLeaf) this.#entries += count;
    else this.#walkChildren(words, count, depth, level, visit);
  }

  #walkChildren(
    words: Uint16Array,
    count: number,
    depth: number,
    level: number,
    visit: VisitEntry | undefined,
  ): void {
    for (let index = 0; index < count; index += 1) {
      const at = ((words[PAGE_HEADER_BYTES / 2 + index] as number) + PAGE_HEADER_BYTES) / 2;
      const [low, high, top] = [words[at], words[at + 1], words[at + 2]] as [number, number, number];
      this.#walkPage(low + high * 2 ** 16 + top * 2 ** 32, depth, level + 1, visit);
    }
  }

  /** @returns the bytes that the node takes. */
  #checkBranch(page: number, level: number, node: number): number {
    const { words } = this.#levels[level] as Room;
    const taken = NODE_HEADER_BYTES + (words[node / 2 + 3] as number);
    if (node + taken > this.#pageBytes) throw outside(page);
    return even(taken);
  }

  /** @returns the bytes that the node takes. */
  #checkEntry(page: number, level: number, node: number, visit: VisitEntry | undefined): number {
    const { bytes, words } = this.#levels[level] as Room;
    const at = node / 2;
    const dataBytes = (words[at] as number) + (words[at + 1] as number) * 2 ** 16;
    const flags = words[at + 2] as number;
    const key = node + NODE_HEADER_BYTES;
    const data = key + (words[at + 3] as number);
    const end = data + (flags & F_BIGDATA ? PLACE_BYTES : dataBytes);
    if (end > this.#pageBytes || (flags & ~(F_BIGDATA | F_SUBDATA)) !== 0) throw outside(page);
    if (flags & F_BIGDATA) this.#checkOverflow(bytes, data, dataBytes);
    if (visit !== undefined) {
      const found = flags & F_BIGDATA ? undefined : bytes.subarray(data, end);
      visit(bytes.subarray(key, data), found, (flags & F_SUBDATA) !== 0);
    }
    return even(end - node);
  }

  #checkOverflow(bytes: Buffer, place: number, dataBytes: number): void {
    const page = readNumber(bytes, place);
    const pages = readNumber(bytes, place + 16);
    const header = this.#read(page, 0);
    const isSound =
      readNumber(header.bytes, 0) === page &&
      readNumber(header.bytes, 8) <= this.#transaction &&
      readNumber(bytes, place + 8) <= this.#transaction &&
      header.words[9] === P_OVERFLOW &&
      header.bytes.readUInt32LE(20) === pages &&
      PAGE_HEADER_BYTES + dataBytes <= pages * this.#pageBytes &&
      page + pages <= this.#pages;
    if (!isSound) throw new DamagedPages(`page ${page} is not the start of a large value`);
    for (let rest = page + 1; rest < page + pages; rest += 1) this.#meet(rest);
  }

  #meet(page: number): void {
    const bit = 1 << (page & 7);
    const at = Math.floor(page / 8);
    if (((this.#met[at] as number) & bit) !== 0) throw new DamagedPages(`page ${page} is in two places`);
    this.#met[at] = (this.#met[at] as number) | bit;
    if (page > this.last) this.last = page;
  }

  #read(page: number, level: number): Room {
    if (page < 2 || page >= this.#pages)
      throw new DamagedPages(`page ${page} is missing: the file is cut short`);
    this.#meet(page);
    this.#levels[level] ??= this.#newRoom();
    const room = this.#levels[level] as Room;
    const wanted = level === 0 ? PAGE_HEADER_BYTES : this.#pageBytes;
    const got = readSync(this.#descriptor, room.bytes, 0, wanted, page * this.#pageBytes);
    if (got !== wanted) throw new DamagedPages(`page ${page} is missing: the file is cut short`);
    return room;
  }

  #newRoom(): Room {
    const memory = new ArrayBuffer(this.#pageBytes);
    return { bytes: Buffer.from(memory), words: new Uint16Array(memory) };
  }
}
