/** Which options are refused, and what the refusal says. */

import { describe, expect, it } from "vitest";
import { checkOptionNames, optionsMistake } from "./option-names.js";

const NAMES = ["ttl", "expiresAt", "writeDelay", "writeTimeout", "maxAttempts"];
const messageOf = (options: unknown): string | undefined => optionsMistake(options, new Set(NAMES))?.message;

describe("options by name", () => {
  it.each([
    ["none", {}],
    ["each there is", Object.fromEntries(NAMES.map((name) => [name, 1]))],
    ["one there is, as undefined", { ttl: undefined }],
    ["one there is not, as undefined", { tll: undefined, whatever: undefined }],
    ["without a prototype", Object.assign(Object.create(null), { ttl: 1 })],
    ["a value that makes no sense, which is not looked at here", { ttl: null }],
  ])("takes %s", (_name, options) => {
    expect(messageOf(options)).toBeUndefined();
  });

  it.each([null, false, 0, "", Number.NaN])("refuses a name that does not exist, given as %s", (value) => {
    expect(messageOf({ other: value })).toBe(
      'there is no option "other", only ttl, expiresAt, writeDelay, writeTimeout, maxAttempts',
    );
  });

  it("refuses what is inherited too, as it is read too", () => {
    expect(messageOf(Object.create({ tll: 1 }))).toContain('"tll"');
  });

  it.each([
    ["tll", "ttl"],
    ["TTL", "ttl"],
    ["ttls", "ttl"],
    ["expireAt", "expiresAt"],
    ["expires_at", "expiresAt"],
    ["writedelay", "writeDelay"],
    ["writeTimout", "writeTimeout"],
    ["wirteTimeout", "writeTimeout"],
    ["attempts", "maxAttempts"],
  ])("takes %s for a slip of %s", (name, meant) => {
    expect(messageOf({ [name]: 1 })).toBe(
      `there is no option "${name}"; did you mean ${meant}? There are ${NAMES.join(", ")}`,
    );
  });

  it.each(["x", "policy", "delta", "a".repeat(100_000)])("takes %.20s for no slip", (name) => {
    expect(messageOf({ [name]: 1 })).toContain(", only ttl, ");
  });

  it.each([
    [undefined, "undefined"],
    [null, "null"],
    ["store.db", '"store.db"'],
    [5, "5"],
    [["secret"], "an array"],
    [() => "secret", "a function"],
    [Symbol("secret"), "a symbol"],
  ])("refuses %s for an object", (options, shown) => {
    expect(messageOf(options)).toBe(`options must be an object with ${NAMES.join(", ")}, not ${shown}`);
  });

  it("says whose options they are", () => {
    const check = (options: unknown) => (): void => checkOptionNames(options, ["directory"], "files");
    expect(check({ directory: 5 })).not.toThrow();
    expect(check({ dircetory: "a" })).toThrow(
      new TypeError('files: there is no option "dircetory"; did you mean directory? There are directory'),
    );
    expect(check("a")).toThrow(new TypeError('files: options must be an object with directory, not "a"'));
  });
});
