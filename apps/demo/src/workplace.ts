/** The directory of one run: a new one each time, so that nothing of anybody else's is ever read or removed. */

import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Workplace {
  readonly directory: string;
  readonly filename: string;
  /** Removes what was made here. */
  remove(): Promise<void>;
}

/** @throws what the file system says, when `parent` is no directory that can be written to */
export async function makeWorkplace(parent: string = tmpdir()): Promise<Workplace> {
  const directory = await mkdtemp(join(parent, "leakdb-demo-"));
  return {
    directory,
    filename: join(directory, "cities.db"),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** The size of a closed database. */
export async function fileBytes(filename: string): Promise<number> {
  return (await stat(filename)).size;
}
