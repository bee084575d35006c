/** What this process has sent to the disk, as Linux counts it. */

import { readFileSync } from "node:fs";

/**
 * Bytes since the process began, all threads: whole pages, each time one is made to differ from the disk, less those of
 * files that went before they were written. What the file system writes for itself is not among them.
 * @throws Error where the system has no such count
 */
export function diskBytes(): number {
  const path = "/proc/self/io";
  if (process.platform !== "linux") throw new Error(`bytes written to disk are counted by ${path} of Linux`);
  return bytesOf(readFileSync(path, "latin1"));
}

/** From the text of the file. Pure. @throws Error when it is another's */
export function bytesOf(text: string): number {
  const count = (name: string): number => {
    const digits = new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1];
    if (digits === undefined) throw new Error(`there is no ${name} in the counts of this system`);
    return Number(digits);
  };
  return count("write_bytes") - count("cancelled_write_bytes");
}
