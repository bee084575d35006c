/**
 * A history: what an owner does with a backend from its creation on, drawn by fast-check. It keeps core's promises:
 * versions rise, a batch repeats a key only behind a clear, and a batch of unknown outcome is sent again before
 * anything else.
 *
 * Keys are few and alike, so that histories meet them again and again.
 */

import type { Mutation } from "@leakdb/core/adapter";
import fc from "fast-check";
import { describeMutation } from "../recording-adapter.js";
import { clear, FIRST_VERSION, put, remove } from "./mutations.js";

export type Step =
  /** The batch is sent and acknowledged; `twice`: and sent once more, as after a lost reply. */
  | { readonly does: "write" | "write twice"; readonly batch: readonly Mutation[] }
  /** The batch is sent, aborted after so many turns of the event loop, 0 for before, and sent again. */
  | { readonly does: "write and abort"; readonly batch: readonly Mutation[]; readonly turns: number }
  /** The process dies before the batch is acknowledged; its successor sends it again. */
  | { readonly does: "write and die"; readonly batch: readonly Mutation[] }
  | { readonly does: "sync" | "reopen" | "die" };

export class History {
  readonly steps: readonly Step[];

  constructor(steps: readonly Step[]) {
    this.steps = steps;
  }

  /** How fast-check prints it: a line for each step. */
  [fc.toStringMethod](): string {
    return this.steps.map((step, index) => `  ${index + 1} ${describeStep(step)}`).join("\n");
  }
}

export interface HistoryOptions {
  /** What may happen besides writes and reopenings. */
  readonly also: readonly Step["does"][];
  /** The present by the harness's clock; expiries are drawn around it. Left out, nothing expires. */
  readonly nowMs?: number | undefined;
}

/** Plain and hostile keys that start, normalise or sort like each other. */
export const KEYS: readonly string[] = [
  ..."a,ab,abc,a:1,a:2,b,B,1,01,1.0,__proto__,a\0,a\0b,\0,%,_,a%,\u00e9,e\u0301".split(","),
  ..."\uffff,\uff5e,\u{1f600},\u{1f600}a,\u{10ffff}, ".split(","),
];

export const PREFIXES: readonly string[] = ["", "a", "ab", "a:", "a\0", "b", "1", "%", "_", "\u{1f600}"];

const STEPS_MAX = 10;
const MUTATIONS_MAX = 10;
const HOUR_MS = 3_600_000;

interface Drawn {
  readonly type: Mutation["type"];
  readonly key: string;
  readonly prefix: string;
  readonly value: Uint8Array;
  readonly expiresAt: number;
}

export function histories({ also, nowMs }: HistoryOptions): fc.Arbitrary<History> {
  const expiries = nowMs === undefined ? [0] : [0, nowMs + HOUR_MS, nowMs + HOUR_MS + 1, nowMs - HOUR_MS, 1];
  const drawn: fc.Arbitrary<Drawn> = fc.record({
    type: fc.oneof(
      { weight: 6, arbitrary: fc.constant("put" as const) },
      { weight: 3, arbitrary: fc.constant("delete" as const) },
      { weight: 1, arbitrary: fc.constant("clear" as const) },
    ),
    key: fc.constantFrom(...KEYS),
    prefix: fc.constantFrom(...PREFIXES),
    value: fc.uint8Array({ maxLength: 12 }),
    expiresAt: fc.constantFrom(...expiries),
  });
  const step = fc.record({
    does: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom<Step["does"]>("write", ...also.filter(isWrite)) },
      // An opening is what takes longest by far where a thread or a connection stands behind it.
      {
        weight: 1,
        arbitrary: fc.constantFrom<Step["does"]>("reopen", ...also.filter((does) => !isWrite(does))),
      },
    ),
    drawn: fc.array(drawn, { minLength: 1, maxLength: MUTATIONS_MAX }),
    turns: fc.nat({ max: 3 }),
  });
  return fc.array(step, { minLength: 1, maxLength: STEPS_MAX }).map((steps) => {
    let version = FIRST_VERSION;
    const nextVersion = () => ++version;
    return new History(
      steps.map(({ does, drawn: mutations, turns }): Step => {
        if (does === "sync" || does === "reopen" || does === "die") return { does };
        const batch = batchOf(mutations, nextVersion);
        return does === "write and abort" ? { does, batch, turns } : { does, batch };
      }),
    );
  });
}

function isWrite(does: Step["does"]): boolean {
  return does === "write twice" || does === "write and abort";
}

function batchOf(drawn: readonly Drawn[], nextVersion: () => number): Mutation[] {
  const batch: Mutation[] = [];
  const used = new Set<string>();
  for (const { type, key, prefix, value, expiresAt } of drawn) {
    if (type === "clear") {
      used.clear();
      batch.push(clear(prefix, nextVersion()));
    } else if (!used.has(key)) {
      used.add(key);
      const version = nextVersion();
      batch.push(type === "put" ? put(key, value, version, expiresAt) : remove(key, version));
    }
  }
  return batch;
}

function describeStep(step: Step): string {
  if (!("batch" in step)) return step.does;
  const batch = step.batch.map((mutation) => describeMutation(mutation, describeBytes)).join(", ");
  const turns = step.does === "write and abort" ? ` after ${step.turns} turns` : "";
  return `${step.does}${turns}: ${batch}`;
}

function describeBytes(value: Uint8Array): string {
  return `0x${Buffer.from(value).toString("hex")}`;
}
