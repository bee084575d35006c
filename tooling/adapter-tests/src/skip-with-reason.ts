/** Skips a test for what this machine lacks, and says so in every run: a reporter shows the reason only when asked. */

import type { TestContext } from "vitest";

/** Goes on when nothing is `missing`. */
export function skipWithout({ skip, task }: TestContext, missing: string | undefined): void {
  if (missing === undefined) return;
  console.warn(`skipped "${task.name}": ${missing}`);
  skip(missing);
}
