import { expect, test } from "vitest";
import { countText } from "../src/count-text.js";

test("thousands and millions are shortened", () => {
  expect([1, 999, 1_000, 64_500, 2_000_000].map(countText)).toEqual(["1", "999", "1k", "64.5k", "2M"]);
});
