/**
 * Says whose the data file is and whether it is sound, by reading alone: what is refused keeps every byte. Runs while
 * nobody else may write to it.
 */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { endianness } from "node:os";
import { AdapterError, type ErrorCode } from "@leakdb/core/adapter";
import { DamagedPages, PageFile, readNumber, readTree, TREE_BYTES, type Tree } from "./page-file.js";
import { decodeMark, MARK_KEY, SCHEMA_VERSION, type StoreMark } from "./store-mark.js";

/** The names of the store's databases in its environment. */
export const RECORDS = "records";
export const EXPIRIES = "expiries";
export const MARK = "leakdb";

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const P_META = 0x08;
const META_BYTES = 168;
/**
 * The file may end before the last page, where the last ones were freed again before they were written; but not by
 * more than one large value took.
 */
const UNWRITTEN_PAGES_MAX = 262_144;
const PAGE_BYTES_MIN = 256;
const PAGE_BYTES_MAX = 65_536;
/** Flags of the trees: the one of free pages has numbers as keys, the others none. */
const INTEGER_KEYS = 0x08;

interface Meta {
  readonly pageBytes: number;
  readonly free: Tree;
  readonly main: Tree;
  readonly lastPage: number;
  readonly transaction: number;
}

function refusal(path: string, what: string, code: ErrorCode): AdapterError {
  return new AdapterError(`open ${path}: ${what}`, { kind: "permanent", code });
}

const damaged = (path: string, what: string): AdapterError =>
  refusal(path, `it is damaged (${what}); keep a copy and restore a backup`, "LEAKDB_CORRUPTION");

/**
 * The mark of the store in the file, or `undefined` where there is none yet: no file, or one that was just begun.
 * @throws AdapterError when it is damaged, somebody else's, or of a later version; what the system's calls throw.
 */
export function inspectDataFile(path: string): StoreMark | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return inspect(descriptor, path);
  } catch (error) {
    if (error instanceof DamagedPages) throw damaged(path, error.message);
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

function inspect(descriptor: number, path: string): StoreMark | undefined {
  if (endianness() !== "LE" || ["arm", "ia32", "mips"].includes(process.arch)) {
    throw refusal(path, "this machine is not a 64-bit little-endian one", "LEAKDB_OPEN_FAILED");
  }
  const { size } = fstatSync(descriptor);
  if (size === 0) return undefined;
  const meta = latestMeta(descriptor, path);
  const file = new PageFile(descriptor, meta.pageBytes, size, meta.transaction);
  file.walk(meta.free);
  const trees = readNames(file, meta.main);
  const markTree = trees.get(MARK);
  const isOurs = [...trees.keys()].every((name) => name === RECORDS || name === EXPIRIES || name === MARK);
  if (!isOurs || (markTree === undefined && trees.size > 0)) {
    throw refusal(
      path,
      "it is the database of another program; name another directory",
      "LEAKDB_OPEN_FAILED",
    );
  }
  const mark = markTree === undefined ? undefined : readMark(file, markTree, path);
  for (const [name, tree] of trees) {
    if (tree.flags !== 0) throw new DamagedPages(`the database ${name} is of another kind`);
    if (name !== MARK) file.walk(tree);
  }
  const lastPageMax = 2 * (size / meta.pageBytes) + UNWRITTEN_PAGES_MAX;
  const isSound =
    meta.free.flags === INTEGER_KEYS &&
    meta.main.flags === 0 &&
    meta.lastPage >= file.last &&
    meta.lastPage <= lastPageMax;
  if (!isSound) throw new DamagedPages("its head disagrees with its pages");
  return mark;
}

function readMark(file: PageFile, tree: Tree, path: string): StoreMark {
  let mark: StoreMark | undefined;
  file.walk(tree, (key, data) => {
    if (data !== undefined && key.toString() === MARK_KEY) mark = decodeMark(data);
  });
  // It was made in one transaction with its database.
  if (mark === undefined) throw new DamagedPages("its mark is missing or unreadable");
  if (mark.schema > SCHEMA_VERSION) {
    const what = `a later LeakDB made it (schema ${mark.schema}, here ${SCHEMA_VERSION}); install that version`;
    throw refusal(path, what, "LEAKDB_OPEN_FAILED");
  }
  return mark;
}

function readNames(file: PageFile, main: Tree): Map<string, Tree> {
  const trees = new Map<string, Tree>();
  file.walk(main, (key, data, isTree) => {
    // The client writes a name with the NUL that ends it.
    const name = key.toString("utf8", 0, key.at(-1) === 0 ? key.byteLength - 1 : key.byteLength);
    if (isTree && data?.byteLength === TREE_BYTES) trees.set(name, readTree(data, 0));
    // Entries beside the databases: another program's.
    else trees.set(`${name} (an entry)`, { flags: 0, depth: 0, entries: 0, root: undefined });
  });
  return trees;
}

/**
 * The younger of the two metas. They are of neighbouring transactions, the even ones first: a bit flipped in a
 * number would otherwise bring an older state back without a word.
 */
function latestMeta(descriptor: number, path: string): Meta {
  const first = readMeta(descriptor, 0, 0, path);
  const second = readMeta(descriptor, 1, first.pageBytes, path);
  const [even, odd] = [first.transaction, second.transaction];
  const isNew = even === 0 && odd === 0;
  if (!isNew && (even % 2 !== 0 || Math.abs(even - odd) !== 1)) {
    throw damaged(path, "its two heads are not of neighbouring transactions");
  }
  if (first.pageBytes !== second.pageBytes) throw damaged(path, "its two heads disagree");
  return odd > even ? second : first;
}

function readMeta(descriptor: number, page: number, offset: number, path: string): Meta {
  const bytes = Buffer.alloc(META_BYTES);
  const isWhole = readSync(descriptor, bytes, 0, META_BYTES, offset) === META_BYTES;
  const isMeta = isWhole && bytes.readUInt16LE(18) === P_META && bytes.readUInt32LE(24) === MAGIC;
  if (!isMeta) {
    throw page === 0
      ? refusal(
          path,
          "it is not an LMDB file, or its head is damaged; name another directory",
          "LEAKDB_CORRUPTION",
        )
      : damaged(path, "its second head is missing or damaged");
  }
  const version = bytes.readUInt32LE(28);
  if (version !== DATA_VERSION) {
    const what = `it has LMDB's data version ${version}, here ${DATA_VERSION}: another program made it`;
    throw refusal(path, what, "LEAKDB_OPEN_FAILED");
  }
  const pageBytes = bytes.readUInt32LE(48);
  const isSound =
    readNumber(bytes, 0) === page &&
    pageBytes >= PAGE_BYTES_MIN &&
    pageBytes <= PAGE_BYTES_MAX &&
    (pageBytes & (pageBytes - 1)) === 0;
  if (!isSound) throw damaged(path, "its head makes no sense");
  return {
    pageBytes,
    free: readTree(bytes, 48),
    main: readTree(bytes, 96),
    lastPage: readNumber(bytes, 144),
    transaction: readNumber(bytes, 152),
  };
}
