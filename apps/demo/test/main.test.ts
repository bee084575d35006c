import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const SMALL = ["--records", "500", "--seconds", "0.3"];

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "leakdb-demo-test-"));
});

afterEach(() => rm(directory, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly shown: string;
}

/** Runs the built demo in the test's directory; `onOutput` sees everything shown so far. */
async function demo(
  args: readonly string[],
  onOutput?: (shown: string, child: ChildProcess) => void,
): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, "--directory", directory, ...args]);
  let shown = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      shown += text;
      onOutput?.(shown, child);
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, shown };
}

test("a small run ends well, says what it measured, and leaves nothing behind", async () => {
  const { code, shown } = await demo(SMALL);
  expect(shown).toContain("500 records and ");
  expect(shown).toContain("each as it was written");
  expect(shown).toMatch(/event-loop delay p50 +\d+\.\d ms +\d+\.\d ms/);
  // Not a terminal: no colours, and nothing drawn over.
  expect(shown).not.toContain("\x1b");
  expect(shown).not.toContain("\r");
  expect(code).toBe(0);
  expect(await readdir(directory)).toEqual([]);
});

test("a tampered record is found, named, and the exit code is 1", async () => {
  const { code, shown } = await demo([...SMALL, "--tamper"]);
  expect(shown).toContain("1 entry is not as written");
  expect(shown).toMatch(/city:\d+ {2}differs/);
  expect(code).toBe(1);
});

test("--keep leaves the database", async () => {
  const { code } = await demo([...SMALL, "--keep"]);
  expect(code).toBe(0);
  const [made] = await readdir(directory);
  expect(await readdir(join(directory, made as string))).toContain("cities.db");
});

test("an interruption in the middle closes the file, removes it, and says so", async () => {
  let isInterrupted = false;
  const { code, shown } = await demo(["--records", "500", "--seconds", "60"], (output, child) => {
    if (isInterrupted || !output.includes("Serve 60.0 s")) return;
    isInterrupted = true;
    child.kill("SIGINT");
  });
  expect(shown).toContain("Interrupted.");
  expect(code).toBe(130);
  expect(await readdir(directory)).toEqual([]);
});

test.each([
  [["--records", "none"], "--records must be a number"],
  [["--records", "0"], "--records must be a whole number from 1"],
  [["--seconds", "-1"], "--seconds"],
  [["--quickly"], "--quickly"],
  [["--directory", "/nowhere/at/all"], "--directory must be a directory"],
])("%j is refused with a word on why, and exit code 2", async (args, word) => {
  const { code, shown } = await demo(args);
  expect(shown).toContain(word);
  expect(shown).toContain("--help");
  expect(code).toBe(2);
});

test("--help says what the exit codes mean", async () => {
  const { code, shown } = await demo(["--help"]);
  expect(shown).toContain("Exit code: 0");
  expect(code).toBe(0);
});
