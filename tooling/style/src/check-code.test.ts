import { describe, expect, test } from "vitest";
import { checkCode } from "./check-code.js";
import { sourceFile } from "./source-file.js";

function messages(text: string, path = "packages/core/src/key.ts"): string[] {
  return checkCode(sourceFile(path, text)).map(({ message }) => message);
}

test("a cast to any is found in both spellings; other casts pass", () => {
  expect(messages("a(b as any);")).toEqual(["casts to any"]);
  expect(messages("a(<any>b);")).toEqual(["casts to any"]);
  expect(messages("a(b as unknown as Key);")).toEqual([]);
});

test("an empty catch is found, as a clause and as a handler", () => {
  const swallowed = ["an empty catch swallows a failure; say at least why"];
  expect(messages("try { a(); } catch {}")).toEqual(swallowed);
  expect(messages("try { a(); } catch (error) {\n}")).toEqual(swallowed);
  expect(messages("a().catch(() => {});")).toEqual(swallowed);
  expect(messages("a().catch(function () { });")).toEqual(swallowed);
});

test("a catch that does something, or says why it does not, passes", () => {
  expect(messages("try { a(); } catch { b(); }")).toEqual([]);
  expect(messages("try { a(); } catch {\n  // The file was gone already.\n}")).toEqual([]);
  expect(messages("a().catch(() => b());")).toEqual([]);
});

describe("a package", () => {
  test.each(["process.exit(1);", "process.abort();", "console.log(a);", "console.error(a);"])(
    "may not call %s",
    (text) => {
      expect(messages(text)).toHaveLength(1);
      expect(messages(text, "apps/demo/src/main.ts")).toEqual([]);
      expect(messages(text, "packages/core/test/crash/child.ts")).toEqual([]);
    },
  );

  test("may end a thread of its own and say so, but never abort", () => {
    expect(messages("// In a worker this ends the thread alone.\nprocess.exit(0);")).toEqual([]);
    expect(messages("// In a worker this ends the thread alone.\nprocess.abort();")).toHaveLength(1);
  });

  test("may set the exit code and have a console of its own", () => {
    expect(messages("process.exitCode = 1; this.console.log(a);")).toEqual([]);
  });
});
