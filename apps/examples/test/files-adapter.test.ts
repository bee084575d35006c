/** What the files adapter promises beyond the contract: its files, damage, crashes in mid-batch, full disks, owners. */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { jsonCodec, PersistentQueueStorage, PersistentStorage } from "@leakdb/core";
import { type Adapter, failureKind, type Mutation, systemClock } from "@leakdb/core/adapter";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { files } from "../src/files-adapter/files-adapter.js";
import { filesInProcess } from "./files-process.js";
import { storeDirectory } from "./store-directory.js";

const { signal } = new AbortController();
const CONTEXT = {
  clock: systemClock,
  signal,
  limits: { batchMax: 10_000, batchBytesMax: 8 << 20 },
  report: (error: Error) => expect.unreachable(error.message),
};
const HOSTILE_KEYS = [
  ...[
    "__proto__",
    "\0",
    "a\0b",
    "/",
    "..",
    ".",
    "../../etc/passwd",
    "C:\\a",
    "CON",
    "nul",
    "com1.txt",
    "-rf",
    "~",
  ],
  ...[
    "a",
    "A",
    "å",
    "Å",
    "\u212b",
    "e\u0301",
    "é",
    "😀",
    " ",
    "a ",
    "a.",
    "\n",
    "k".repeat(1_024),
    "😀".repeat(256),
  ],
];

let directory: string;
beforeEach(async () => {
  directory = await storeDirectory();
});

function put(key: string, value: string, version: number): Mutation {
  return { type: "put", key, value: Buffer.from(value), version, expiresAt: 0 };
}

async function opened(adapter: Adapter = files({ directory })): Promise<Adapter> {
  await adapter.open(CONTEXT);
  onTestFinished(() => adapter.close());
  return adapter;
}

/** Puts records into the directory, and closes it. */
async function leave(...batch: Mutation[]): Promise<void> {
  const adapter = await opened();
  await adapter.write(batch, { signal });
  await adapter.close();
}

const names = async (): Promise<string[]> => (await readdir(directory)).sort();
const recordOf = async (slug: string): Promise<string> =>
  join(directory, (await names()).find((name) => name.startsWith(`${slug}-`)) ?? "missing");

describe("the files", () => {
  test("are text in the JSON codec: a header, the value, a line feed", async () => {
    const storage = await PersistentQueueStorage.open({ adapter: files({ directory }), codec: jsonCodec() });
    const version = storage.set("Ada Lovelace", { plan: "pro" });
    await storage.close();
    const [header, ...rest] = (await readFile(await recordOf("ada-lovelace"), "utf8")).split("\n");
    expect(JSON.parse(header ?? "")).toEqual({
      key: "Ada Lovelace",
      version,
      expiresAt: 0,
      crc: expect.any(Number),
    });
    expect(rest).toEqual(['{"plan":"pro"}', ""]);
  });

  test("have names that every disk takes and keeps apart, whatever the key", async () => {
    await leave(...HOSTILE_KEYS.map((key, index) => put(key, key, index + 1)));
    const records = (await names()).filter((name) => name !== "owner");
    expect(records).toHaveLength(HOSTILE_KEYS.length + 1);
    for (const name of records) expect(name).toMatch(/^[a-z0-9][a-z0-9-]{0,71}-[0-9a-f]{32}\.record$/);
    const adapter = await opened();
    const values = (await adapter.load(HOSTILE_KEYS)).map((record) => String(record?.value));
    expect(values).toEqual(HOSTILE_KEYS);
  });

  test("that others put there are left alone, unfinished ones are removed", async () => {
    await leave(put("a", "one", 1));
    await writeFile(join(directory, "README.md"), "ours");
    await writeFile(`${await recordOf("a")}.unfinished`, "half");
    await leave();
    expect((await names()).filter((name) => !name.endsWith(".record"))).toEqual(["README.md"]);
  });

  test("change only with their own keys", async () => {
    await leave(put("a", "one", 1), put("b", "one", 2));
    const before = await readFile(await recordOf("a"), "utf8");
    await leave(put("b", "two", 3));
    expect(await readFile(await recordOf("a"), "utf8")).toBe(before);
  });

  test("take an edit by hand once their checksum is out", async () => {
    await leave(put("a", "one", 1));
    const path = await recordOf("a");
    await writeFile(path, (await readFile(path, "utf8")).replace(/,"crc":\d+/, "").replace("one", "edited"));
    const [record] = await (await opened()).load(["a"]);
    expect(String(record?.value)).toBe("edited");
  });
});

describe("damage", () => {
  const flip = (at: (length: number) => number) => (bytes: Buffer) => {
    const copy = Buffer.from(bytes);
    copy[at(bytes.length)] = (copy[at(bytes.length)] ?? 0) ^ 1;
    return copy;
  };
  const damages: readonly [string, (bytes: Buffer) => Buffer][] = [
    ["emptied", () => Buffer.alloc(0)],
    ["cut short by a byte", (bytes) => bytes.subarray(0, -1)],
    ["cut in its header", (bytes) => bytes.subarray(0, 20)],
    ["without its value", (bytes) => bytes.subarray(0, bytes.indexOf("\n") + 1)],
    ["with a bit flipped in the value", flip((length) => length - 3)],
    ["with a bit flipped in the version", flip(() => 22)],
    ["with line ends of Windows", (bytes) => Buffer.from(bytes.toString().replaceAll("\n", "\r\n"))],
    ["with marks of a merge", (bytes) => Buffer.concat([Buffer.from("<<<<<<< ours\n"), bytes])],
    ["longer", (bytes) => Buffer.concat([bytes, Buffer.from("\n")])],
  ];

  test.each(damages)(
    "a file %s is LEAKDB_CORRUPTION that names it, and keeps its bytes",
    async (_name, damage) => {
      await leave(put("a", "value one", 1), put("b", "value two", 2));
      const path = await recordOf("a");
      const bytes = damage(await readFile(path));
      await writeFile(path, bytes);
      const opening = PersistentQueueStorage.open({ adapter: files({ directory }) });
      await expect(opening).rejects.toMatchObject({
        code: "LEAKDB_CORRUPTION",
        message: expect.stringContaining(
          await recordOf("a").then((file) => file.slice(directory.length + 1)),
        ),
      });
      expect(await readFile(path)).toEqual(bytes);
      expect(await names()).not.toContain("owner");
    },
  );

  test("while the store is open is found by whoever loads the record, and leaves the others readable", async () => {
    const adapter = await opened();
    await adapter.write([put("a", "one", 1), put("b", "two", 2)], { signal });
    await writeFile(await recordOf("a"), "not a record");
    await expect(adapter.load(["a"])).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
    expect(String((await adapter.load(["b"]))[0]?.value)).toBe("two");
  });

  test("a record under another's name is not believed", async () => {
    await leave(put("a", "one", 1), put("b", "two", 2));
    await rename(await recordOf("a"), await recordOf("b"));
    await expect(files({ directory }).open(CONTEXT)).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
  });

  test("a store whose own record is gone is not taken for a new one", async () => {
    await leave(put("a", "one", 1));
    await rm(await recordOf("key"));
    await expect(files({ directory }).open(CONTEXT)).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
  });
});

describe("a crash in the middle of a batch", () => {
  test("leaves each key old or new, no half file, and the directory free", async () => {
    const killed = await filesInProcess(directory);
    await killed.open(CONTEXT);
    const keys = Array.from({ length: 3_000 }, (_, index) => `key ${index}`);
    await killed.write(
      keys.map((key, index) => put(key, "old", index + 1)),
      { signal },
    );
    const last = await recordOf("key-2999");
    const writing = killed.write(
      keys.map((key, index) => put(key, "new", 10_000 + index)),
      { signal },
    );
    const outcome = writing.catch((error: unknown) => failureKind(error));
    const watched = await recordOf("key-50");
    while (!(await readFile(watched, "utf8")).includes("new")) await setTimeout(1);
    await killed.kill();
    expect(await outcome).toBe("ambiguous");
    expect(await readFile(last, "utf8")).toContain("old");
    const adapter = await opened();
    const values = (await adapter.load(keys)).map((record) => String(record?.value));
    expect(new Set(values)).toEqual(new Set(["old", "new"]));
    expect((await names()).filter((name) => name.endsWith(".unfinished"))).toEqual([]);
  });
});

describe("a failure", () => {
  test("before any record was touched is transient, after it ambiguous", async () => {
    const adapter = await opened();
    await adapter.write([put("a", "one", 1)], { signal });
    // No file can take the name of a directory that is not empty.
    const path = await recordOf("a");
    await rm(path);
    await mkdir(join(path, "in the way"), { recursive: true });
    const failed = adapter.write([put("a", "two", 2)], { signal });
    await expect(failed).rejects.toMatchObject({ kind: "ambiguous" });
    await mkdir(join(`${path}.unfinished`, "in the way"), { recursive: true });
    await expect(adapter.write([put("a", "two", 2)], { signal })).rejects.toMatchObject({
      kind: "transient",
    });
    await rm(path, { recursive: true });
    await rm(`${path}.unfinished`, { recursive: true });
    await adapter.write([put("a", "two", 2)], { signal });
    expect(String((await adapter.load(["a"]))[0]?.value)).toBe("two");
  });

  test("of a full disk is transient, leaves nothing half, and ends with it", async (context) => {
    const disk = join(directory, "disk");
    mkdirSync(disk);
    const options = ["-t", "tmpfs", "-o", "size=256k", "leakdb-test", disk];
    const { status } = spawnSync("mount", options, { encoding: "utf8" });
    // A tmpfs needs Linux and the right to mount.
    if (status !== 0) return context.skip("it needs Linux, and the right to mount");
    onTestFinished(() => void execFileSync("umount", ["--lazy", disk]));
    const storage = await PersistentStorage.open({
      adapter: files({ directory: disk }),
      retry: { backoff: 1 },
    });
    await storage.set("a", "one");
    await writeFile(join(disk, "ballast"), Buffer.alloc(180 * 1024));
    await expect(storage.set("b", "x".repeat(150_000))).rejects.toMatchObject({ retryable: true });
    expect(storage.has("b")).toBe(false);
    expect((await readdir(disk)).filter((name) => name.endsWith(".unfinished"))).toEqual([]);
    await storage.close();
    await writeFile(join(disk, "more ballast"), Buffer.alloc(256 * 1024)).catch(() => undefined);
    const reopening = PersistentStorage.open({ adapter: files({ directory: disk }) });
    await expect(reopening).rejects.toMatchObject({ code: "LEAKDB_OPEN_FAILED" });
    for (const name of ["ballast", "more ballast"]) await rm(join(disk, name));
    const next = await PersistentStorage.open({ adapter: files({ directory: disk }) });
    onTestFinished(() => next.close());
    await next.set("b", "x".repeat(150_000));
    expect(next.get("a")).toBe("one");
  });
});

test("a close waits for the write under way, which stops before its next file", async () => {
  const adapter = await opened();
  // So many that they are not done by the time the first few are seen, however slowly this process is served.
  const batch = Array.from({ length: 20_000 }, (_, index) => put(`key ${index}`, "one", index + 1));
  let outcome = "under way";
  const writing = adapter.write(batch, { signal }).then(
    () => {
      outcome = "stored";
    },
    (error: unknown) => {
      outcome = failureKind(error);
    },
  );
  const done = async (): Promise<number> =>
    (await names()).filter((name) => !name.endsWith(".unfinished")).length;
  while ((await done()) < 10) await setTimeout(1);
  await adapter.close();
  expect(outcome).toBe("ambiguous");
  expect((await names()).length).toBeLessThan(batch.length);
  await writing;
});

describe("the owner", () => {
  const LOCKED = { code: "LEAKDB_LOCKED" };

  test("is one process: another is refused until the owner closes, or is killed", async () => {
    const owner = await filesInProcess(directory);
    await owner.open(CONTEXT);
    await expect(files({ directory }).open(CONTEXT)).rejects.toMatchObject(LOCKED);
    await owner.kill();
    const next = await opened();
    await expect((await filesInProcess(directory)).open(CONTEXT)).rejects.toMatchObject(LOCKED);
    await next.close();
    const last = await filesInProcess(directory);
    await last.open(CONTEXT);
    await last.close();
  });

  test("is found under every name of the directory", async () => {
    await opened();
    const link = join(await storeDirectory(), "link");
    await symlink(directory, link);
    await expect(files({ directory: link }).open(CONTEXT)).rejects.toMatchObject(LOCKED);
  });

  test("on another machine is not taken for dead", async () => {
    await leave(put("a", "one", 1));
    await writeFile(join(directory, "owner"), `not ${hostname()}`);
    await expect(files({ directory }).open(CONTEXT)).rejects.toMatchObject(LOCKED);
    await rm(join(directory, "owner"));
    await opened();
  });

  test("of an opening that failed is nobody", async () => {
    await leave(put("a", "one", 1));
    const path = await recordOf("a");
    const bytes = await readFile(path);
    await writeFile(path, "not a record");
    await expect(files({ directory }).open(CONTEXT)).rejects.toMatchObject({ code: "LEAKDB_CORRUPTION" });
    await writeFile(path, bytes);
    await opened();
  });

  test("where names of processes are files, as on macOS, is refused while it lives and not missed once it is dead", async () => {
    const asOn = (value: string): string =>
      `data:text/javascript,Object.defineProperty(process, "platform", { value: "${value}" })`;
    const platform = Object.getOwnPropertyDescriptor(process, "platform") as PropertyDescriptor;
    Object.defineProperty(process, "platform", { ...platform, value: "darwin" });
    onTestFinished(() => void Object.defineProperty(process, "platform", platform));
    const owner = await filesInProcess(directory, ["--import", asOn("darwin")]);
    await owner.open(CONTEXT);
    await expect(files({ directory }).open(CONTEXT)).rejects.toMatchObject(LOCKED);
    await owner.kill();
    await (await opened()).close();
    await opened();
  });
});

test("a directory that is missing is not made: it may be a disk that is away", async () => {
  const opening = PersistentQueueStorage.open({ adapter: files({ directory: join(directory, "missing") }) });
  await expect(opening).rejects.toMatchObject({ code: "LEAKDB_OPEN_FAILED" });
  expect(await names()).toEqual([]);
});
