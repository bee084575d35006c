import { describe, expect, it } from "vitest";
import { checkOptions, type RedisAdapterOptions } from "./options.js";

const refused =
  (options: unknown): (() => unknown) =>
  () =>
    checkOptions(options as RedisAdapterOptions);

describe("where the server is", () => {
  it("is this machine unless more is said", () => {
    const { seeds, keyPrefix, takeover, leaseMs, commandTimeoutMs, connectTimeoutMs } = checkOptions({});
    expect(seeds).toEqual([{ host: "127.0.0.1", port: 6379 }]);
    expect({ keyPrefix, takeover, leaseMs, commandTimeoutMs, connectTimeoutMs }).toEqual({
      keyPrefix: "leakdb:",
      takeover: false,
      leaseMs: 10_000,
      commandTimeoutMs: 10_000,
      connectTimeoutMs: 5_000,
    });
  });

  it("is read from a url, whole", () => {
    const { seeds, connection } = checkOptions({ url: "rediss://us%40er:p%2Fw@[::1]:7000/3" });
    expect(seeds).toEqual([{ host: "::1", port: 7000 }]);
    expect(connection).toEqual({ username: "us@er", password: "p/w", db: 3, tls: {} });
  });

  it("is several nodes, the first first", () => {
    const { seeds } = checkOptions({ url: "redis://a:1", nodes: ["redis://b:2", "redis://c"] });
    expect(seeds).toEqual([
      { host: "a", port: 1 },
      { host: "b", port: 2 },
      { host: "c", port: 6379 },
    ]);
  });

  it("is known to Sentinels, or to a socket", () => {
    const sentinels = [{ host: "s", port: 26379 }];
    expect(checkOptions({ connection: { sentinels, name: "main" } })).toMatchObject({
      seeds: [],
      connection: { sentinels, name: "main" },
    });
    expect(checkOptions({ connection: { path: "/run/redis.sock" } }).seeds).toEqual([]);
  });

  it("is where a client's settings say", () => {
    const client = { isCluster: false, options: { host: "h", port: 1, db: 2 } };
    expect(checkOptions({ client } as unknown as RedisAdapterOptions)).toMatchObject({
      seeds: [{ host: "h", port: 1 }],
      connection: { db: 2 },
    });
  });
});

describe("a mistake is told, and no password with it:", () => {
  it.each<[unknown, RegExp]>([
    [null, /must be an object/],
    [{ uri: "x" }, /there is no option "uri"; did you mean url\?/],
    [{ url: 7 }, /must be a string/],
    [{ url: "secret" }, /must be like redis:\/\//],
    [{ url: "http://:secret@host" }, /must begin with redis:\/\//],
    [{ url: "redis://:secret@host/zero" }, /number of a database/],
    [{ nodes: "redis://a" }, /nodes must be an array/],
    [{ connection: 7 }, /connection must be an object/],
    [{ client: 7 }, /client must be a Redis or Cluster/],
    [{ client: {}, url: "redis://a" }, /give either/],
    [{ natMap: 7 }, /natMap must be an object/],
    [{ keyPrefix: 7 }, /keyPrefix must be a string/],
    [{ keyPrefix: "" }, /must not be empty/],
    [{ keyPrefix: "\ud800" }, /well-formed/],
    [{ takeover: "yes" }, /takeover must be true or false/],
    [{ lease: "10" }, /lease must be a number/],
  ])("%j", (options, message) => {
    expect(refused(options)).toThrow(TypeError);
    expect(refused(options)).toThrow(message);
    expect(refused(options)).not.toThrow(/secret/);
  });

  it.each<[unknown, RegExp]>([
    [{ keyPrefix: "é".repeat(129) }, /at most 256 UTF-8 bytes/],
    [{ lease: 999 }, /from 1000 to/],
    [{ lease: 2 ** 31 }, /from 1000 to/],
    [{ commandTimeout: 0 }, /from 1 to/],
    [{ connectTimeout: 1.5 }, /an integer/],
    [{ connectTimeout: Number.NaN }, /an integer/],
  ])("%j, which is out of range", (options, message) => {
    expect(refused(options)).toThrow(RangeError);
    expect(refused(options)).toThrow(message);
  });
});
