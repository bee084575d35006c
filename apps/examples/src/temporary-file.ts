/** A file name in a new temporary directory, for programs that show something and leave nothing behind. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Calls `use` with the file's name, and removes the directory when it has ended. */
export async function withTemporaryFile<Result>(use: (filename: string) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), "leakdb-example-"));
  try {
    return await use(join(directory, "example.db"));
  } finally {
    await rm(directory, { recursive: true });
  }
}
