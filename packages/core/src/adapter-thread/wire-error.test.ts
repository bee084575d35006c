import { describe, expect, it } from "vitest";
import { AdapterError } from "../adapter.js";
import { fromWire, toWire } from "./wire-error.js";

const cross = (error: unknown): AdapterError => fromWire(structuredClone(toWire(error)));

describe("an error that crosses between threads", () => {
  it("keeps message, kind, code and causes of an AdapterError", () => {
    const disk = Object.assign(new Error("write failed"), { code: "SQLITE_FULL" });
    const error = cross(
      new AdapterError("no space", { kind: "transient", code: "LEAKDB_OPEN_FAILED", cause: disk }),
    );
    expect(error).toBeInstanceOf(AdapterError);
    expect(error).toMatchObject({ message: "no space", kind: "transient", code: "LEAKDB_OPEN_FAILED" });
    expect(error.cause).toMatchObject({ message: "write failed", code: "SQLITE_FULL", stack: disk.stack });
  });

  it("becomes ambiguous when it says nothing of its kind, with the original as its cause", () => {
    const error = cross(new RangeError("odd"));
    expect(error).toMatchObject({ kind: "ambiguous", message: "odd", code: undefined });
    expect(error.cause).toMatchObject({ name: "RangeError", message: "odd" });
  });

  it("may be anything that can be thrown", () => {
    for (const thrown of [undefined, null, 7, "text", {}]) expect(cross(thrown).kind).toBe("ambiguous");
  });

  it("ends causes that point in a circle", () => {
    const first: Error & { cause?: unknown } = new Error("first");
    first.cause = new Error("second", { cause: first });
    expect(cross(first).message).toBe("first");
  });
});
