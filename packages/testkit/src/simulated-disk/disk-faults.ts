/**
 * What a {@link SimulatedDisk} is told to fail, and the operations it is asked for. Faults are counted: the n-th
 * operation of a kind, once or as often as wanted, so that a test can fail each operation of a run in turn.
 */

export type DiskOperationName =
  | "makeDirectory"
  | "lock"
  | "list"
  | "open"
  | "create"
  | "remove"
  | "syncDirectory"
  | "write"
  | "read"
  | "sync"
  | "truncate"
  | "size"
  | "close";

/** One call, in the order of the calls. */
export interface DiskOperation {
  /** 1 for the disk's first. */
  readonly number: number;
  readonly name: DiskOperationName;
  readonly path: string;
  /** Where it writes or reads. */
  readonly position?: number | undefined;
  /** How many bytes it writes or asks for, or what a truncated file is to keep. */
  readonly bytes?: number | undefined;
}

export interface DiskFault {
  /** Default: any operation. */
  readonly operation?: DiskOperationName | readonly DiskOperationName[] | undefined;
  /** Default: any path; else those that end so. */
  readonly path?: string | undefined;
  /** Which of these operations is the first to fail, counted from the call of `fail`. Default 1. */
  readonly nth?: number | undefined;
  /** How many fail, one after another; `Infinity` for all from then on. Default 1. */
  readonly times?: number | undefined;
  /** Default `"EIO"`. */
  readonly code?: string | undefined;
  /** How many of its bytes a failing write leaves in the file. Default 0. */
  readonly partBytes?: number | undefined;
  /** The operation takes effect, and says that it failed. Default false. */
  readonly isApplied?: boolean | undefined;
}

export class DiskFaults {
  #scripts: { readonly fault: DiskFault; seen: number }[] = [];
  /** How often a fault has struck. */
  injected = 0;

  add(fault: DiskFault): void {
    this.#scripts.push({ fault, seen: 0 });
  }

  clear(): void {
    this.#scripts = [];
  }

  /** The fault that strikes this operation; the first scripted of several. All of them count it. */
  take(operation: DiskOperation): DiskFault | undefined {
    let struck: DiskFault | undefined;
    for (const script of this.#scripts) {
      const { nth = 1, times = 1 } = script.fault;
      if (!isMeant(script.fault, operation)) continue;
      script.seen += 1;
      if (script.seen >= nth && script.seen < nth + times) struck ??= script.fault;
    }
    if (struck !== undefined) this.injected += 1;
    return struck;
  }
}

function isMeant({ operation, path }: DiskFault, { name, path: actual }: DiskOperation): boolean {
  if (path !== undefined && !actual.endsWith(path)) return false;
  if (operation === undefined) return true;
  return typeof operation === "string" ? operation === name : operation.includes(name);
}

/** An error as `node:fs` throws it. */
export function diskError(code: string, { name, path }: Pick<DiskOperation, "name" | "path">): Error {
  const error = new Error(`${code}: simulated, ${name} '${path}'`);
  return Object.assign(error, { code, syscall: name, path });
}
