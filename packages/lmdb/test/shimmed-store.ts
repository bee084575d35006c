/** A store of LMDB on a disk that is watched, and fails when told to. */

import { type Played, playShimmed, type Shim, type Step } from "@leakdb/adapter-tests";

const program = new URL("./scripted-process.mjs", import.meta.url);

/** Plays the steps on a new store, in a process of its own. */
export const play = (shim: Shim, steps: readonly Step[]): Promise<Played> =>
  playShimmed(shim, program, steps);
