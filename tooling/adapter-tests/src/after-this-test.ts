/** What a test leaves behind is cleaned up after it, whether it passed or not. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";

const cleanups: (() => Promise<void> | void)[] = [];

/** Runs after the test, last added first, so that a directory goes after what is open in it. */
export function afterThisTest(cleanup: () => Promise<void> | void): void {
  cleanups.push(cleanup);
}

afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) await cleanup();
});

/** An empty directory for this test, in `parent` or where the system has its temporary files. */
export function makeDirectory(parent = tmpdir()): string {
  const directory = mkdtempSync(join(parent, "leakdb-test-"));
  afterThisTest(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
