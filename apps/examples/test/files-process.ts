/** The files adapter in a process of its own, so that `kill -9` can be tried on it for real. */

import { type ProcessAdapter, processAdapter } from "@leakdb/testkit";

const module = new URL("../dist/files-adapter/files-adapter.js", import.meta.url);

/** `execArgv` goes to Node itself. */
export function filesInProcess(directory: string, execArgv: readonly string[] = []): Promise<ProcessAdapter> {
  return processAdapter({ module, factory: "files", options: { directory }, execArgv });
}
