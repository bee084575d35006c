/** The demo's command line: what it takes, and the words for somebody who asks or mistypes. */

import { parseArgs } from "node:util";

export interface DemoOptions {
  /** How many records are loaded; `Infinity` for all. */
  readonly records: number;
  /** How long the mixed load is served. */
  readonly seconds: number;
  /** Where the demo makes its own new directory; `undefined` for the system's temporary one. */
  readonly directory: string | undefined;
  readonly isKept: boolean;
  readonly isTampered: boolean;
}

export const HELP = `
  LeakDB demo: 135,233 places of the world go into SQLite, behind memory that answers.

  npm start
  npm start -- [options]

    --records <n>       load only the first n records          (all)
    --seconds <s>       serve reads, counters and updates for s seconds   (8)
    --directory <path>  an existing directory to work in; one is made in it   (the temporary one)
    --keep              leave the database file behind
    --tamper            change one record behind the demo's back: it has to find it
    --help

  Exit code: 0 when everything is read back as it was written, 1 when not, 2 for a wrong
  option, 130 after Ctrl-C.
`;

/** A mistake in the command line; its message is for the person who typed it. */
export class UsageError extends Error {}

/** The options, or `"help"`. @throws UsageError */
export function parseArguments(args: readonly string[]): DemoOptions | "help" {
  const values = parseValues(args);
  if (values.help) return "help";
  const records = values.records === undefined ? Infinity : numberOf("--records", values.records);
  if (records !== Infinity && (!Number.isInteger(records) || records < 1)) {
    throw new UsageError("--records must be a whole number from 1");
  }
  const seconds = values.seconds === undefined ? 8 : numberOf("--seconds", values.seconds);
  if (!(seconds > 0 && seconds <= 3600))
    throw new UsageError("--seconds must be more than 0 and at most 3600");
  return {
    records,
    seconds,
    directory: values.directory,
    isKept: values.keep,
    isTampered: values.tamper,
  };
}

function parseValues(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        records: { type: "string" },
        seconds: { type: "string" },
        directory: { type: "string" },
        keep: { type: "boolean", default: false },
        tamper: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function numberOf(name: string, text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isNaN(value)) throw new UsageError(`${name} must be a number`);
  return value;
}
