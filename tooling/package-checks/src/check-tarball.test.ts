import { expect, test } from "vitest";
import { contentFaults } from "./check-tarball.mjs";

const whole = ["package.json", "README.md", "LICENSE", "dist/index.js", "dist/index.d.ts"];
const everySource = () => true;

test("a tarball with what a user needs has no faults", () => {
  expect(contentFaults(whole, everySource)).toEqual([]);
});

test("a missing readme or licence is a fault", () => {
  const files = whole.filter((file) => file !== "README.md" && file !== "LICENSE");
  expect(contentFaults(files, everySource)).toEqual(["README.md is missing", "LICENSE is missing"]);
});

test("a package without anything built is a fault", () => {
  expect(contentFaults(["package.json", "README.md", "LICENSE"], everySource)).toEqual(["nothing is built"]);
});

test("a test that was packed is a fault", () => {
  expect(contentFaults([...whole, "dist/key.test.js"], everySource)).toHaveLength(1);
  expect(contentFaults([...whole, "test/crash.js"], everySource)).toHaveLength(1);
});

test("what an older build left behind is a fault", () => {
  expect(contentFaults([...whole, "dist/gone.js"], (source) => source !== "src/gone.ts")).toEqual([
    "dist/gone.js has no source any more: delete dist and build",
  ]);
});
