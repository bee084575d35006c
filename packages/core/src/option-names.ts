/**
 * Options are checked by name, everywhere by this one rule: a name that does not exist is a mistake, since what it was
 * meant to bring would be missed in silence, and a name given as `undefined` is as if it were absent, since that is
 * what callers make who hand optional values on. A leaf.
 */

export type OptionNames = ReadonlySet<string>;

/**
 * Refuses options that an adapter does not have, or that are no object; for the first line of its factory. A name given
 * as `undefined` is as if it were absent, whether it exists or not. Values are not looked at.
 *
 * ```ts
 * checkOptionNames(options, ["filename", "synchronous"], "sqlite");
 * // TypeError: sqlite: there is no option "synchronus"; did you mean synchronous? There are filename, synchronous
 * ```
 *
 * @param names every option there is
 * @param what stands before the message: the name of the factory
 * @throws TypeError that says which options there are, and which one was perhaps meant
 */
export function checkOptionNames(options: unknown, names: readonly string[], what: string): void {
  const mistake = optionsMistake(options, new Set(names), what);
  if (mistake !== undefined) throw mistake;
}

/** What is wrong with the names of the options, if anything is. `what` stands before the message. */
export function optionsMistake(options: unknown, names: OptionNames, what?: string): TypeError | undefined {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const known = [...names].join(", ");
    return mistakeOf(what, `options must be an object with ${known}, not ${describe(options)}`);
  }
  // With what is inherited: whoever reads the options sees that too.
  for (const name in options) {
    if (names.has(name) || (options as Record<string, unknown>)[name] === undefined) continue;
    const nearest = nearestName(name, names);
    const guess = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    const known = guess === "" ? `, only ${[...names].join(", ")}` : ` There are ${[...names].join(", ")}`;
    return mistakeOf(what, `there is no option ${JSON.stringify(name)}${guess}${known}`);
  }
  return undefined;
}

function mistakeOf(what: string | undefined, message: string): TypeError {
  return new TypeError(what === undefined ? message : `${what}: ${message}`);
}

/** Never with what is inside: that may be a value of the user's. */
function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "function" || typeof value === "symbol" ? `a ${typeof value}` : String(value);
}

/** What is longer is no slip of the fingers. */
const COMPARED_LENGTH_MAX = 40;

/** The name that was perhaps meant: the one with the fewest slips to it, if they are few for its length. */
function nearestName(name: string, names: OptionNames): string | undefined {
  if (name.length > COMPARED_LENGTH_MAX) return undefined;
  let nearest: string | undefined;
  let fewest = 1 + Math.floor(name.length / 4);
  for (const known of names) {
    const slips = slipsBetween(name.toLowerCase(), known.toLowerCase());
    if (slips > fewest || (slips === fewest && nearest !== undefined)) continue;
    nearest = known;
    fewest = slips;
  }
  return nearest;
}

/** Letters added, left out, mistaken, or swapped with the next: the optimal string alignment distance. */
function slipsBetween(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const mistaken = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let fewest = Math.min(mistaken, (last[j] as number) + 1, (row[j - 1] as number) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        fewest = Math.min(fewest, (beforeLast[j - 2] as number) + 1);
      }
      row.push(fewest);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] as number;
}
