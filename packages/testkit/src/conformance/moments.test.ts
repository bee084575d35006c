/** Where the acts of a case come in a write, by writes whose length is counted in turns or microtasks. */

import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { Moments } from "./moments.js";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A write that counts its own steps, and where each act came. */
class CountedWrite {
  readonly #step: () => Promise<unknown>;
  readonly #steps: number;
  at = 0;

  constructor(steps: number, step: () => Promise<unknown>) {
    this.#steps = steps;
    this.#step = step;
  }

  readonly run = async (): Promise<void> => {
    for (this.at = 0; this.at < this.#steps; this.at += 1) await this.#step();
  };
}

async function actsIn(write: CountedWrite, seed = 1): Promise<number[]> {
  const moments = await Moments.of({ seed, sizeMax: 256, write: write.run });
  const acts: number[] = [];
  await moments.each("acts", async (moment) => {
    const { writing } = await moment.reach(write.run);
    acts.push(write.at);
    await writing;
  });
  return acts;
}

describe("moments", () => {
  test("of a write that takes some turns of the event loop come all over it, and before its end", async () => {
    const acts = await actsIn(new CountedWrite(50, turn));
    assert.ok(acts.length >= 12, `${acts}`);
    for (const [from, to] of [
      [0, 15],
      [15, 35],
      [35, 50],
    ] as const) {
      assert.ok(
        acts.some((at) => at >= from && at < to),
        `${acts} between ${from} and ${to}`,
      );
    }
    assert.ok(Math.max(...acts) < 50, `${acts}`);
  });

  test("of a write that settles in the turn of its call come between its microtasks", async () => {
    const acts = await actsIn(new CountedWrite(20, async () => undefined));
    assert.ok(new Set(acts).size >= 5, `${acts}`);
    assert.ok(Math.min(...acts) < 5 && Math.max(...acts) >= 15, `${acts}`);
  });

  test("are the same for a seed, and others for another", async () => {
    const draw = (seed: number): Promise<number[]> => actsIn(new CountedWrite(80, turn), seed);
    assert.deepEqual(await draw(1), await draw(1));
    assert.notDeepEqual(await draw(1), await draw(2));
  });

  test("are drawn closer when writes have become quicker", async () => {
    const write = new CountedWrite(90, turn);
    const moments = await Moments.of({ seed: 1, sizeMax: 256, write: write.run });
    const quick = new CountedWrite(3, turn);
    let inside = 0;
    await moments.each("acts", async (moment) => {
      const { writing } = await moment.reach(quick.run);
      if (quick.at < 3) inside += 1;
      await writing;
    });
    assert.ok(inside >= 4, `${inside}`);
  });

  test("that never come before the end fail, and say that nothing was tried", async () => {
    const moments = await Moments.of({ seed: 1, sizeMax: 256, write: turn });
    const missing = moments.each("acts", async () => undefined);
    await assert.rejects(missing, /none of 40 acts .* came before its write had settled.*tried nothing/s);
  });

  test("make a batch larger until they fit into its write", async () => {
    const sizes: number[] = [];
    const write = async (size: number): Promise<void> => {
      sizes.push(size);
      await turn();
    };
    const { size } = await Moments.of({ seed: 1, sizeMax: 10_000, write });
    assert.deepEqual([...new Set(sizes)], [256, 1_024, 4_096, 10_000].slice(0, new Set(sizes).size));
    assert.equal(size, sizes.at(-1));
  });
});
