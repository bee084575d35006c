/**
 * One owner a directory, by what Node alone can do. On this machine the owner holds a name which the system frees with
 * the process, `kill -9` included, so that it is never stale and never taken by two. Other machines are told by the file
 * `owner`, which names the machine; after a crash only that machine opens the directory, or whoever removes the file.
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile, realpath, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { AdapterError } from "@leakdb/core/adapter";

/** Makes this process the owner of `directory`; what it answers ends that. @throws AdapterError LEAKDB_LOCKED */
export async function ownDirectory(directory: string): Promise<() => Promise<void>> {
  const path = await realpath(directory);
  const server = await holdName(path);
  const owner = join(path, "owner");
  const letGo = async (): Promise<void> => {
    server.close();
    await once(server, "close");
  };
  const disown = (): Promise<void> => rm(owner, { force: true }).finally(letGo);
  try {
    await writeFile(owner, hostname(), { flag: "wx", flush: true });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") {
      await disown(); // a full disk leaves the file without its text
      throw error;
    }
    const machine = await readFile(owner, "utf8");
    // Else it was left by a process of this machine that ended without a close: the name would not have been free.
    if (machine !== hostname()) {
      await letGo();
      throw locked(directory, `the machine "${machine}" that ${owner} names`);
    }
  }
  return disown;
}

async function holdName(path: string): Promise<Server> {
  const name = nameOf(path);
  const server = createServer((socket) => socket.destroy()).unref();
  try {
    // Exclusive: the workers of a cluster would share it otherwise.
    await once(server.listen({ path: name, exclusive: true }), "listening");
    return server;
  } catch (error) {
    if (codeOf(error) !== "EADDRINUSE") throw error;
    if (!(await isLeftBehind(name))) throw locked(path, "another store of this machine");
    await rm(name, { force: true });
    return holdName(path);
  }
}

function nameOf(path: string): string {
  const name = `leakdb-files-${createHash("sha256").update(path).digest("hex").slice(0, 32)}`;
  if (process.platform === "linux") return `\0${name}`;
  return process.platform === "win32" ? `\\\\.\\pipe\\${name}` : `/tmp/${name}`;
}

/** Where the name is a file, as on macOS, it outlives its process; then nobody answers. */
async function isLeftBehind(name: string): Promise<boolean> {
  if (!name.startsWith("/")) return false;
  const socket = connect(name);
  try {
    await once(socket, "connect");
    return false;
  } catch (error) {
    return codeOf(error) === "ECONNREFUSED";
  } finally {
    socket.destroy();
  }
}

function locked(directory: string, by: string): AdapterError {
  const message = `${directory} is open in ${by}; close it there first`;
  return new AdapterError(message, { kind: "transient", code: "LEAKDB_LOCKED" });
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}
