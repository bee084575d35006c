/**
 * One owner a directory, for the journal and for adapters whose backend lets any number of processes in. The lock is a
 * Unix socket in the directory: it takes connections exactly as long as its owner lives, however that ends, and refuses
 * them at once after. It holds between the threads of a process, and between containers that share the directory. A leaf.
 *
 * ```
 * owner-6   refuses: its owner is dead            a newcomer listens on a name of its own, and links it as owner-8
 * owner-7   refuses: its owner closed the store   if the highest number refuses; of two, one link fails
 * ```
 *
 * Keeps:
 * - Numbers only rise: the highest stays when its owner goes. So a newcomer who was slow, and links a number that
 *   was passed meanwhile, finds a higher one beside it, and steps back. Taking the place of a name that was seen dead
 *   could take that of a living owner instead.
 * - A socket takes connections before it gets its number.
 */

import { randomUUID } from "node:crypto";
import { closeSync, linkSync, openSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { AdapterError } from "./adapter-error.js";

const NUMBERED = /^owner-(\d{1,15})$/;
const UNNUMBERED = "owner-new-";
/** Beyond this a system cuts a socket's name short, or refuses it. */
const SOCKET_PATH_BYTES_MAX = 100;
/** Each round that is lost is one that another newcomer has won. */
const ROUNDS_MAX = 100;

export class DirectoryLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** True where a store has once been open: the lock leaves files named `owner-…` in the directory. */
  static isKnownIn(directory: string): boolean {
    return highestNumber(directory) > 0;
  }

  /**
   * @param directory one that exists
   * @throws AdapterError LEAKDB_LOCKED when this or another process holds it; an error of the system otherwise.
   */
  static async take(directory: string): Promise<DirectoryLock> {
    const base = new SocketBase(directory);
    const name = `${UNNUMBERED}${randomUUID()}`;
    try {
      await refuseIfOwned(base, directory);
      const server = await listen(base.path(name));
      try {
        await link(base, directory, name);
        return new DirectoryLock(server);
      } catch (error) {
        server.close();
        throw error;
      }
    } finally {
      rmSync(join(directory, name), { force: true });
      base.close();
    }
  }

  /** The next to come finds the socket refusing. */
  release(): void {
    this.#server.close();
  }
}

/** Gives the socket called `name` the next number. */
async function link(base: SocketBase, directory: string, name: string): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const number = (await refuseIfOwned(base, directory)) + 1;
    try {
      linkSync(join(directory, name), join(directory, `owner-${number}`));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Another newcomer was faster: it took the number, or swept the name of this one away.
      if (code === "EEXIST" || code === "ENOENT") continue;
      throw error;
    }
    if (highestNumber(directory) === number) return removeOlder(directory, number);
    rmSync(join(directory, `owner-${number}`), { force: true });
  }
  throw locked(directory);
}

/** @returns the highest number there is, whose socket refuses; 0 for none. */
async function refuseIfOwned(base: SocketBase, directory: string): Promise<number> {
  for (;;) {
    const number = highestNumber(directory);
    if (number === 0 || !(await answers(base.path(`owner-${number}`)))) {
      if (number === highestNumber(directory)) return number;
    } else {
      throw locked(directory);
    }
  }
}

function locked(directory: string): AdapterError {
  return new AdapterError(`open ${directory}: another store has it open; close that one first`, {
    kind: "transient",
    code: "LEAKDB_LOCKED",
  });
}

function highestNumber(directory: string): number {
  let highest = 0;
  for (const name of readdirSync(directory))
    highest = Math.max(highest, Number(NUMBERED.exec(name)?.[1] ?? 0));
  return highest;
}

/** What the dead have left. A newcomer that is just listening loses its name and finds this store open. */
function removeOlder(directory: string, number: number): void {
  for (const name of readdirSync(directory)) {
    const found = NUMBERED.exec(name);
    const isOlder = found === null ? name.startsWith(UNNUMBERED) : Number(found[1]) < number;
    if (isOlder) rmSync(join(directory, name), { force: true });
  }
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** True when somebody listens. A queue that is full is somebody's too. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      else if (error.code === "EAGAIN") resolve(true);
      // It was closed while this connection waited: ask again.
      else if (error.code === "ECONNRESET") resolve(answers(path));
      else reject(error);
    });
  });
}

/** Names sockets of a directory within what a socket's name may be long. */
class SocketBase {
  readonly #directory: string;
  #descriptor: number | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  path(name: string): string {
    const path = join(this.#directory, name);
    if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return path;
    if (process.platform !== "linux") {
      throw new AdapterError(
        `open ${this.#directory}: its name is too long for the owner's socket; shorten it`,
        {
          kind: "permanent",
          code: "LEAKDB_OPEN_FAILED",
        },
      );
    }
    // Linux knows each open directory by a short name as well.
    this.#descriptor ??= openSync(this.#directory, "r");
    return join("/proc/self/fd", String(this.#descriptor), name);
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }
}
