import { expect, test } from "vitest";
import { Screen } from "../src/screen.js";

function shownBy(use: (screen: Screen) => void, options: { isTTY?: boolean; columns?: number } = {}): string {
  let shown = "";
  use(new Screen({ write: (text) => (shown += text), ...options }));
  return shown;
}

test("a table puts labels to the left and figures to the right", () => {
  const shown = shownBy((screen) =>
    screen.table([
      { label: "what", cells: ["count"] },
      { label: "records", cells: ["7"], remark: "in all" },
    ]),
  );
  expect(shown).toBe("     what      count\n     records       7   in all\n");
});

test("progress away from a terminal is a line a quarter", () => {
  const shown = shownBy((screen) => {
    const progress = screen.progress();
    for (let done = 0; done <= 100; done += 1) progress.update(done / 100, () => `${done} done`);
    progress.end();
  });
  expect(shown.split("\n").map((line) => line.trim())).toEqual([
    "25 %  25 done",
    "50 %  50 done",
    "75 %  75 done",
    "100 %  100 done",
    "",
  ]);
});

test("progress on a terminal is one line, no wider than the terminal, and is erased in the end", () => {
  const shown = shownBy(
    (screen) => {
      const progress = screen.progress();
      progress.update(0.5, () => "x".repeat(200));
      progress.end();
    },
    { isTTY: true, columns: 60 },
  );
  const [, drawn, left] = shown.split("\r\x1b[2K");
  expect(drawn).toHaveLength(59);
  expect(left).toBe("");
});
