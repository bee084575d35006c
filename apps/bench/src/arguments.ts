/** The command line: what it takes, and the words for somebody who asks or mistypes. Pure. */

import { parseArgs } from "node:util";

export interface BenchOptions {
  /** Names of the workloads to run, in this order; `undefined` for all but the optional ones. */
  readonly workloads: readonly string[] | undefined;
  /** Sizes of the stores, rising. The single-size workloads take the largest, or less where more tells nothing. */
  readonly entries: readonly number[];
  /** Pairs that are measured; costly workloads make fewer. */
  readonly repeats: number;
  /** Fills to ten million. */
  readonly isFull: boolean;
  /** Small loads: shows that all works, and says little about speed. */
  readonly isQuick: boolean;
  /** Where the result is written as JSON. */
  readonly json: string | undefined;
}

export const HELP = `
  LeakDB benchmark: our storages and their peers side by side, as ratios.

  npm run bench -- [options]

    --workloads <a,b>   only these: get-set, fill, sustained, hot-keys, loop-delay, opening, memory, stalls;
                        and by name alone: journal-acks, journal-set, journal-recovery, journal-disk
    --entries <n,n>     sizes of the stores                    (1000,100000,1000000)
    --repeats <n>       pairs to measure; costly rows make fewer   (7)
    --full              stalls while filling to 10 million     (to the largest of --entries)
    --quick             small loads and three pairs: for a look whether all works, not for figures
    --json <file>       write all rows as JSON too
    --help

  Exit code: 0 when everything was measured, whether or not it meets its target; 1 when a measurement failed
  or read back other values than were written; 2 for a wrong option.
`;

/** A mistake in the command line; its message is for the person who typed it. */
export class UsageError extends Error {}

const ENTRIES_MAX = 20_000_000;
const REPEATS_MAX = 1_000;

/** The options, or `"help"`. `known` are the names of the workloads. @throws UsageError */
export function parseArguments(args: readonly string[], known: readonly string[]): BenchOptions | "help" {
  const values = parseValues(args);
  if (values.help) return "help";
  const isQuick = values.quick;
  return {
    workloads: workloadsOf(values.workloads, known),
    entries:
      values.entries === undefined
        ? isQuick
          ? [1_000, 10_000]
          : [1_000, 100_000, 1_000_000]
        : sizesOf(values.entries),
    repeats:
      values.repeats === undefined
        ? isQuick
          ? 3
          : 7
        : wholeNumber("--repeats", values.repeats, REPEATS_MAX),
    isFull: values.full,
    isQuick,
    json: values.json,
  };
}

function parseValues(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        workloads: { type: "string" },
        entries: { type: "string" },
        repeats: { type: "string" },
        full: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        json: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function workloadsOf(text: string | undefined, known: readonly string[]): readonly string[] | undefined {
  if (text === undefined) return undefined;
  const names = text.split(",").map((name) => name.trim());
  for (const name of names) {
    if (!known.includes(name))
      throw new UsageError(`there is no workload ${name}; there are ${known.join(", ")}`);
  }
  return names;
}

function sizesOf(text: string): readonly number[] {
  const sizes = text.split(",").map((size) => wholeNumber("--entries", size, ENTRIES_MAX));
  return [...new Set(sizes)].sort((a, b) => a - b);
}

function wholeNumber(name: string, text: string, most: number): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new UsageError(`${name} must be whole numbers from 1 to ${most}`);
  }
  return value;
}
