import { describe, expect, it } from "vitest";
import { LeakDBError } from "../errors.js";
import type { Codec } from "./codec.js";
import { EncodedValue, encodeValue } from "./encoded-value.js";
import { jsonCodec } from "./json-codec.js";
import { msgpackCodec } from "./msgpack-codec.js";

function codecThat(encode: (value: unknown) => unknown): Codec {
  return { name: "odd", encode: encode as Codec["encode"], decode: () => 1 };
}

function errorOf(encode: () => unknown): LeakDBError {
  try {
    encode();
  } catch (error) {
    expect(error).toBeInstanceOf(LeakDBError);
    expect(error).toMatchObject({ code: "LEAKDB_ENCODE_FAILED" });
    return error as LeakDBError;
  }
  throw new Error("it was encoded");
}

function throwing(thrown: unknown): () => never {
  return () => {
    throw thrown;
  };
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe("encodeValue", () => {
  it("gives the bytes of a codec, a Buffer or any other Uint8Array, and of an encoded value", () => {
    const bytes = new (class extends Uint8Array {})([1]);
    expect(
      encodeValue(
        1,
        codecThat(() => bytes),
      ),
    ).toBe(bytes);
    expect(
      encodeValue(
        1,
        codecThat(() => Buffer.from("a")),
      ),
    ).toEqual(Buffer.from("a"));
    expect(encodeValue(new EncodedValue(bytes), codecThat(throwing(new Error("asked"))))).toBe(bytes);
  });

  it.each<[string, unknown]>([
    ["a string", "x"],
    ["a Promise", Promise.resolve(new Uint8Array(1))],
    ["undefined", undefined],
    ["null", null],
    ["a number", 1],
    ["an ArrayBuffer", new ArrayBuffer(4)],
    ["a Uint16Array", new Uint16Array([1, 300])],
    ["a DataView", new DataView(new ArrayBuffer(1))],
    ["an Array", [1, 2]],
    ["an Object", Object.create(Uint8Array.prototype)],
    ["a Proxy", new Proxy(new Uint8Array(1), {})],
    ["a Uint16Array", Object.setPrototypeOf(new Uint16Array(1), Uint8Array.prototype)],
  ])("refuses a codec that returns %s", (what, returned) => {
    expect(
      errorOf(() =>
        encodeValue(
          1,
          codecThat(() => returned),
        ),
      ).message,
    ).toBe(`the codec odd must return a Uint8Array, not ${what}`);
  });

  it("reports an async codec that fails once, and not as an unhandled rejection too", async () => {
    const unhandled: unknown[] = [];
    const listen = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", listen);
    errorOf(() =>
      encodeValue(
        1,
        codecThat(() => Promise.reject(new Error("later"))),
      ),
    );
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", listen);
    expect(unhandled).toEqual([]);
  });

  it.each<[string, unknown]>([
    ["null", null],
    ["a string", "text"],
    ["an object without prototype", Object.create(null)],
    ["a revoked proxy", revoked()],
    [
      "a proxy of an error that throws",
      new Proxy(new Error("m"), { get: throwing(1), getPrototypeOf: throwing(1) }),
    ],
    ["an error whose message is no text", Object.assign(new Error(), { message: Symbol("s") })],
    ["an error whose message throws", Object.defineProperty(new Error(), "message", { get: throwing(1) })],
  ])("turns whatever a codec throws into the one code: %s", (_name, thrown) => {
    const error = errorOf(() => encodeValue(1, codecThat(throwing(thrown))));
    expect(error.message).toBe("the codec odd cannot encode the value: it threw something that is no Error");
    expect(error.cause).toBe(thrown);
  });

  it.each([msgpackCodec(), jsonCodec()])("a revoked proxy is refused as any other: $name", (codec) => {
    expect(errorOf(() => encodeValue(revoked(), codec)).message).toContain("value is a Proxy");
  });
});

describe("EncodedValue", () => {
  it("is known by what it is, and asks no value anything", () => {
    const encoded = new EncodedValue(new Uint8Array(1));
    const liar = new Proxy({}, { getPrototypeOf: () => EncodedValue.prototype });
    expect(encoded instanceof EncodedValue).toBe(true);
    for (const value of [
      liar,
      revoked(),
      Object.create(EncodedValue.prototype),
      new Proxy(encoded, {}),
      null,
      1,
    ]) {
      expect(value instanceof EncodedValue).toBe(false);
    }
  });
});
