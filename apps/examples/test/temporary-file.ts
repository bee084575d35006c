/** Files of tests: a new directory for each, and what was opened in it is closed before it is removed. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A file name for one test. */
export async function temporaryFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "leakdb-examples-test-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, "example.db");
}
