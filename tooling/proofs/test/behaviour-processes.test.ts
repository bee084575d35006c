/** What a storage means for its process: draining at a signal, and when the process may end by itself. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PersistentQueueStorage } from "@leakdb/core";
import { sqlite } from "@leakdb/sqlite";
import { expect, onTestFinished, test } from "vitest";
import { Child } from "../src/faults/child-process.js";

function temporaryFile(): string {
  const directory = mkdtempSync(join(tmpdir(), "leakdb-processes-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "service.db");
}

function run(scene: string, filename: string): Child {
  const child = new Child("signalled-service.mjs", [scene, filename]);
  onTestFinished(() => child.send("SIGKILL"));
  return child;
}

async function entriesOf(filename: string): Promise<number> {
  const storage = await PersistentQueueStorage.open({ adapter: sqlite({ filename }) });
  const { size } = storage;
  await storage.close();
  return size;
}

test.each(["SIGTERM", "SIGINT"] as const)(
  "closeOnSignal stores everything dirty at %s, then the signal ends the process",
  async (signal) => {
    const filename = temporaryFile();
    const child = run("drain-on-signal", filename);
    await child.printed("ready");
    child.send(signal);
    expect(await child.end()).toMatchObject({ code: null, signal, errors: "" });
    expect(await entriesOf(filename)).toBe(1_000);
  },
);

test("a second signal during the draining does not cut it short", async () => {
  const filename = temporaryFile();
  const child = run("drain-on-signal", filename);
  await child.printed("ready");
  child.send("SIGTERM");
  child.send("SIGTERM");
  child.send("SIGINT");
  const { code, errors } = await child.end();
  expect(code).toBeNull();
  expect(errors).toBe("");
  expect(await entriesOf(filename)).toBe(1_000);
});

test("the listeners of closeOnSignal can be taken back", async () => {
  const filename = temporaryFile();
  const child = run("listeners-taken-back", filename);
  await child.printed("ready");
  child.send("SIGTERM");
  expect(await child.end()).toMatchObject({ code: null, signal: "SIGTERM" });
  expect(await entriesOf(filename)).toBe(0);
});

test("a close that is incomplete at a signal is a process warning, and the process still ends", async () => {
  const child = run("incomplete-on-signal", temporaryFile());
  await child.printed("ready");
  child.send("SIGTERM");
  const { signal, errors } = await child.end();
  expect(signal).toBe("SIGTERM");
  expect(errors).toContain("1 mutation was not stored");
});

test("onClosed is called once, after the close and before the end, however many signals come", async () => {
  const filename = temporaryFile();
  const child = run("told-of-the-close", filename);
  await child.printed("ready");
  child.send("SIGTERM");
  child.send("SIGINT");
  child.send("SIGTERM");
  const { code, output, errors } = await child.end();
  expect({ code, errors }).toEqual({ code: null, errors: "" });
  expect(output).toBe("ready\nclosed undefined\n");
  expect(await entriesOf(filename)).toBe(1);
});

test("an onClosed that throws is a warning, and the signal still ends the process", async () => {
  const child = run("mistaken-on-closed", temporaryFile());
  await child.printed("ready");
  child.send("SIGTERM");
  const { signal, errors } = await child.end();
  expect(signal).toBe("SIGTERM");
  expect(errors).toContain("a mistake of the service");
});

test("a process with an open, idle storage ends by itself", async () => {
  const child = run("idle", temporaryFile());
  expect(await child.end()).toMatchObject({ code: 0, output: "size 0\n", errors: "" });
});

test("a process does not end by itself while dirty data waits, and does once it is stored", async () => {
  const filename = temporaryFile();
  const child = run("ends-by-itself", filename);
  await child.printed("written");
  expect(await child.end()).toMatchObject({ code: 0, errors: "" });
  expect(await entriesOf(filename)).toBe(100);
});

test("a process ends by itself after a close", async () => {
  const filename = temporaryFile();
  expect(await run("closed", filename).end()).toMatchObject({ code: 0, output: "closed\n", errors: "" });
  expect(await entriesOf(filename)).toBe(1);
});
