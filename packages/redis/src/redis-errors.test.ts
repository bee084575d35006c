import { AdapterError } from "@leakdb/core/adapter";
import { describe, expect, it } from "vitest";
import { fenced, kindOf, redisError, replyCode, unchanged } from "./redis-errors.js";

/** As ioredis makes one of a server's answer. */
function reply(message: string): Error {
  return Object.assign(new Error(message), { name: "ReplyError" });
}

describe("what a server answers", () => {
  it.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", "OOM", "transient"],
    ["READONLY You can't write against a read only replica.", "READONLY", "transient"],
    ["LOADING Redis is loading the dataset in memory", "LOADING", "transient"],
    ["MISCONF Redis is configured to save RDB snapshots", "MISCONF", "transient"],
    ["BUSY Redis is busy running a script.", "BUSY", "transient"],
    ["CLUSTERDOWN The cluster is down", "CLUSTERDOWN", "transient"],
    ["TRYAGAIN Multiple keys request during rehashing of slot", "TRYAGAIN", "transient"],
    ["NOREPLICAS Not enough good replicas to write.", "NOREPLICAS", "transient"],
    ["ERR max number of clients reached", "ERR", "transient"],
    ["NOAUTH Authentication required.", "NOAUTH", "permanent"],
    ["WRONGPASS invalid username-password pair or user is disabled.", "WRONGPASS", "permanent"],
    ["NOPERM this user has no permissions to run the 'eval' command", "NOPERM", "permanent"],
    ["WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE", "permanent"],
    ["DENIED Redis is running in protected mode", "DENIED", "permanent"],
    ["ERR something else", "ERR", "ambiguous"],
    // Redis 7 puts the script behind the error, Redis 6 wraps the error into one of its own.
    ["OOM command not allowed script: 1f2e, on @user_script:25.", "OOM", "transient"],
    [
      "ERR Error running script (call to f_1f2e): @user_script:25: -OOM command not allowed when used memory > 'maxmemory'.",
      "OOM",
      "transient",
    ],
    [
      "ERR Error running script (call to f_1f2e): @user_script:2: @user_script: 2: -READONLY You can't write against a read only replica.",
      "READONLY",
      "transient",
    ],
    [
      "ERR Error running script (call to f_1f2e): @user_script:2: @user_script: 2: The user executing the script can't run this command or subcommand",
      "NOPERM",
      "permanent",
    ],
    [
      "ERR The user executing the script can't run this command or subcommand script: 1f2e, on @user_script:25.",
      "NOPERM",
      "permanent",
    ],
    [
      "ERR Error running script (call to f_1f2e): @user_script:2: attempt to index a NIL value",
      "ERR",
      "ambiguous",
    ],
  ])("%s", (message, code, kind) => {
    expect(replyCode(reply(message))).toBe(code);
    expect(kindOf(reply(message))).toBe(kind);
  });

  it("is no matter of what became of the connection, of which nobody knows the outcome", () => {
    for (const error of [new Error("Connection is closed."), new Error("OOM"), "text", undefined]) {
      expect(replyCode(error)).toBe("");
      expect(kindOf(error)).toBe("ambiguous");
      expect(unchanged(error)).toBe("transient");
    }
    expect(unchanged(reply("NOAUTH Authentication required."))).toBe("permanent");
  });
});

describe("an error for core", () => {
  it("says what to do, and what the server said", () => {
    const cause = reply("NOAUTH Authentication required.");
    const error = redisError("store", "open", cause);
    expect(error).toMatchObject({ kind: "permanent", cause });
    expect(error.message).toBe(
      "store: open: the server wants a password: give `connection.password`, or put it into the url (NOAUTH Authentication required.)",
    );
    expect(redisError("store", "write", new Error("it broke")).message).toBe("store: write: it broke");
  });

  it("is left as it is when it is one, and keeps its code under another kind", () => {
    const own = new AdapterError("gone", { kind: "permanent", code: "LEAKDB_CORRUPTION" });
    expect(redisError("store", "open", own)).toBe(own);
    expect(redisError("store", "open", own, "ambiguous")).toMatchObject({
      kind: "ambiguous",
      code: "LEAKDB_CORRUPTION",
      cause: own,
    });
  });

  it("names who has taken the store over", () => {
    expect(fenced("store", "process 7 of host").message).toContain("process 7 of host has taken over");
    expect(fenced("store", "")).toMatchObject({ kind: "permanent", code: "LEAKDB_FENCED" });
  });
});
