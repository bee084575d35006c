/** Every planted bug, in the order in which the README lists them. */

import type { BrokenAdapter } from "./broken-adapter.js";
import { brokenCalls } from "./broken-calls.js";
import { brokenEnds } from "./broken-ends.js";
import { brokenLives } from "./broken-lives.js";
import { brokenMiddles } from "./broken-middles.js";
import { brokenMishaps } from "./broken-mishaps.js";
import { brokenReads } from "./broken-reads.js";
import { brokenWrites } from "./broken-writes.js";

export const brokenAdapters: readonly BrokenAdapter[] = [
  ...brokenWrites,
  ...brokenReads,
  ...brokenCalls,
  ...brokenLives,
  ...brokenMiddles,
  ...brokenEnds,
  ...brokenMishaps,
];
