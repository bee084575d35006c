/** The journal in real files: its lock between processes, paths as systems have them, and ends that leave half a group. */

import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DefaultStorage } from "@leakdb/core";
import { expect, onTestFinished, test } from "vitest";
import { Child } from "../src/faults/child-process.js";
import { inMemory } from "../src/faults/opened-store.js";
import { thrownBy } from "../src/faults/watched-promise.js";

function makeHome(): string {
  const home = mkdtempSync(join(tmpdir(), "leakdb-journal-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

const open = (directory: string): Promise<DefaultStorage<number>> =>
  DefaultStorage.open<number>({ journal: { directory } });

/** The journal's files, without its lock. */
const filesOf = (directory: string): string[] =>
  readdirSync(directory).filter((name) => name.endsWith(".journal"));

test("a second process is LEAKDB_LOCKED at once; after kill -9 of the first it has everything, at once", async () => {
  const directory = join(makeHome(), "journal");
  const child = new Child("../journal/owning-service.mjs", [directory]);
  onTestFinished(() => child.send("SIGKILL"));
  await child.printed("journaled");
  for (let attempt = 0; attempt < 3; attempt += 1) {
    expect(await thrownBy(() => open(directory))).toMatchObject({ code: "LEAKDB_LOCKED" });
  }
  child.send("SIGKILL");
  expect(await child.end()).toMatchObject({ signal: "SIGKILL", errors: "" });
  const storage = await open(directory);
  expect(storage.size).toBe(1_000);
  expect(storage.get("key 999")).toBe(999);
  await storage.close();
});

test("the same directory by another path is the same journal", async () => {
  const home = makeHome();
  const directory = join(home, "journal");
  const storage = await open(directory);
  symlinkSync(directory, join(home, "alias"));
  for (const alias of [`${home}/./journal/`, `${home}/other/../journal`, join(home, "alias")]) {
    expect(await thrownBy(() => open(alias)), alias).toMatchObject({ code: "LEAKDB_LOCKED" });
  }
  await storage.close();
});

test("many who open at once: one has it, all others are LEAKDB_LOCKED", async () => {
  const directory = join(makeHome(), "journal");
  const openings = await Promise.allSettled(Array.from({ length: 10 }, () => open(directory)));
  const opened = openings.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  expect(opened).toHaveLength(1);
  for (const each of openings) {
    if (each.status === "rejected") expect(each.reason).toMatchObject({ code: "LEAKDB_LOCKED" });
  }
  await opened[0]?.close();
});

test("a directory deep down, with a path longer than a socket's name may be, is made and locked", async () => {
  const directory = join(makeHome(), "deep ".repeat(20), "ünïcode 😀".repeat(5), "journal");
  const storage = await open(directory);
  storage.set("a", 1);
  expect(await thrownBy(() => open(directory))).toMatchObject({ code: "LEAKDB_LOCKED" });
  await storage.close();
  const next = await open(directory);
  expect(inMemory(next)).toEqual({ a: 1 });
  await next.close();
});

test("a directory that is a file, or is below one, is LEAKDB_OPEN_FAILED and says where", async () => {
  const file = join(makeHome(), "file");
  writeFileSync(file, "mine");
  for (const directory of [file, join(file, "journal")]) {
    const error = await thrownBy(() => open(directory));
    expect(error).toMatchObject({ code: "LEAKDB_OPEN_FAILED" });
    expect(error.message).toContain(directory);
  }
  expect(readFileSync(file, "utf8")).toBe("mine");
});

// Permissions do not bind root.
test.skipIf(process.getuid?.() === 0)("a directory that is read-only is LEAKDB_OPEN_FAILED", async () => {
  const directory = join(makeHome(), "journal");
  mkdirSync(directory);
  chmodSync(directory, 0o500);
  expect(await thrownBy(() => open(directory))).toMatchObject({ code: "LEAKDB_OPEN_FAILED" });
});

test("what a crash left of a group is cut off and counted, wherever it ended", async () => {
  const directory = join(makeHome(), "journal");
  const child = new Child("../journal/owning-service.mjs", [directory]);
  onTestFinished(() => child.send("SIGKILL"));
  await child.printed("journaled");
  child.send("SIGKILL");
  await child.end();
  const file = join(directory, filesOf(directory).at(-1) ?? "");
  const sound = readFileSync(file);
  const group = sound.subarray(104);
  for (const kept of [1, 20, 36, 500, group.length - 1]) {
    // The same group once more, as far as it came: it says that it stands elsewhere, so it is none.
    writeFileSync(file, sound);
    appendFileSync(file, group.subarray(0, kept));
    const storage = await open(directory);
    expect(storage.size).toBe(1_000);
    expect(storage.stats().journal?.recovery.tornBytes).toBe(kept);
    await storage.close();
    for (const name of filesOf(directory)) if (join(directory, name) !== file) rmSync(join(directory, name));
  }
});

test("a file that was cut short after a close is LEAKDB_CORRUPTION, and stays as it is", async () => {
  const directory = join(makeHome(), "journal");
  const storage = await open(directory);
  storage.set("a", 1);
  await storage.close();
  await (await open(directory)).close();
  const [first = ""] = filesOf(directory).sort();
  const file = join(directory, first);
  const { length } = readFileSync(file);
  truncateSync(file, length - 1);
  const before = readFileSync(file);
  expect(await thrownBy(() => open(directory))).toMatchObject({ code: "LEAKDB_CORRUPTION" });
  expect(readFileSync(file)).toEqual(before);
});

test("a journal and an open storage keep no process from its end by themselves", async () => {
  const directory = join(makeHome(), "journal");
  const child = new Child("../journal/idle-service.mjs", [directory]);
  onTestFinished(() => child.send("SIGKILL"));
  expect(await child.end()).toMatchObject({ code: 0, output: "written\n", errors: "" });
  const storage = await open(directory);
  expect(inMemory(storage)).toEqual({ a: 1 });
  await storage.close();
});
