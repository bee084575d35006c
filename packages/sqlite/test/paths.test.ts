/** The rows of the table of `docs/sqlite.md` about paths that lead to no file that could be a store. */

import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { afterThisTest, makeDirectory, makeReadOnly, skipWithout } from "@leakdb/adapter-tests";
import { describe, expect, it } from "vitest";
import { openStore } from "./tested-stores.js";

/** The opening says what is wrong, and makes nothing. */
async function refusesPath(filename: string, kind: string, message: string): Promise<void> {
  const list = (): string[] => (existsSync(dirname(filename)) ? readdirSync(dirname(filename)) : []);
  const before = list();
  const error = { kind, code: "LEAKDB_OPEN_FAILED", message: expect.stringContaining(message) };
  await expect(openStore({ filename })).rejects.toMatchObject(error);
  const name = basename(filename);
  expect(list().filter((each) => each.startsWith(name))).toEqual(
    before.filter((each) => each.startsWith(name)),
  );
}

describe("is refused, and nothing left behind:", () => {
  it("a directory", async () => {
    const filename = join(makeDirectory(), "data");
    mkdirSync(filename);
    await refusesPath(filename, "permanent", "it is a directory; name a file");
    expect(readdirSync(filename)).toEqual([]);
  });

  it("a link to a directory", async () => {
    const directory = makeDirectory();
    mkdirSync(join(directory, "data"));
    symlinkSync(join(directory, "data"), join(directory, "link"));
    await refusesPath(join(directory, "link"), "permanent", "it is a directory; name a file");
  });

  it("a pipe, at once", async (context) => {
    const filename = join(makeDirectory(), "pipe");
    const { status } = spawnSync("mkfifo", [filename]);
    skipWithout(context, status === 0 ? undefined : "there is no mkfifo command");
    await refusesPath(filename, "permanent", "it is a pipe; name a file");
  });

  it("a socket", async (context) => {
    skipWithout(context, process.platform === "win32" ? "Windows has no sockets in directories" : undefined);
    const filename = join(makeDirectory(), "socket");
    const server = createServer();
    await new Promise<void>((listening) => server.listen(filename, listening));
    afterThisTest(() => void server.close());
    await refusesPath(filename, "permanent", "it is a socket; name a file");
  });

  it("a device", async (context) => {
    skipWithout(context, existsSync("/dev/null") ? undefined : "there is no /dev/null");
    await refusesPath("/dev/null", "permanent", "it is a device; name a file");
  });

  it("a link to a file that is missing, until that is there", async () => {
    const directory = makeDirectory();
    const filename = join(directory, "link.db");
    symlinkSync(join(directory, "store.db"), filename);
    await refusesPath(filename, "transient", "it is a link to a file that is missing");
    expect(existsSync(join(directory, "store.db"))).toBe(false);
    writeFileSync(join(directory, "store.db"), "");
    await openStore({ filename });
  });

  it("links that lead in a circle", async () => {
    const directory = makeDirectory();
    symlinkSync(join(directory, "a.db"), join(directory, "b.db"));
    symlinkSync(join(directory, "b.db"), join(directory, "a.db"));
    await refusesPath(join(directory, "a.db"), "transient", "circle");
  });

  it("a name too long for the file system, or for the files beside it", async () => {
    const directory = makeDirectory();
    for (const length of [256, 255, 248])
      await refusesPath(join(directory, "n".repeat(length)), "transient", "its name is too long");
    await openStore({ filename: join(directory, "n".repeat(247)) });
  });

  it("a path too long for SQLite", async (context) => {
    skipWithout(context, process.platform === "win32" ? "the limit of Windows is another one" : undefined);
    let directory = makeDirectory();
    while (directory.length < 400) directory = join(directory, "d".repeat(80));
    mkdirSync(directory, { recursive: true });
    const longest = join(directory, "n".repeat(499 - directory.length - 1));
    await refusesPath(`${longest}n`, "transient", "500 bytes long");
    await openStore({ filename: longest });
  });

  it("a file that may not be read", async (context) => {
    skipWithout(context, process.getuid?.() === 0 ? "permissions do not bind root" : undefined);
    skipWithout(context, process.platform === "win32" ? "Windows has other permissions" : undefined);
    const filename = join(makeDirectory(), "store.db");
    writeFileSync(filename, "");
    chmodSync(filename, 0o200);
    await refusesPath(filename, "transient", "it may not be read");
    chmodSync(filename, 0o600);
    await openStore({ filename });
  });

  it("a file in a directory that takes no others, until it does", async (context) => {
    const directory = makeDirectory();
    const filename = join(directory, "store.db");
    writeFileSync(filename, "");
    const undo = makeReadOnly(directory, true, context);
    await refusesPath(filename, "transient", "its directory allows no files beside it");
    await refusesPath(join(directory, "new.db"), "transient", "its directory allows no new files");
    expect(statSync(filename).size).toBe(0);
    undo();
    await openStore({ filename });
  });
});
