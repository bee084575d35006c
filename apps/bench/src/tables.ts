/** The printed form of rows: a table for each workload, and the closing one of all targets. Pure. */

import { isMet, type Row, type Unit } from "./row.js";
import type { Spread } from "./statistics.js";

/** Columns that are as wide as their widest cell; the first is aligned to the left, the others to the right. */
export function alignedTable(lines: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const cells of lines) {
    for (const [column, cell] of cells.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  const rendered = lines.map((cells) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
  return rendered.map((line) => `  ${line}\n`).join("");
}

/** Both sides of each row, and what came of it. */
export function workloadTable(rows: readonly Row[]): string {
  const header = ["", "LeakDB", "peer", "", "figure", "min – max", "target", ""];
  const lines = rows.map((row) => [
    `${row.workload}: ${row.label}`,
    amount(row.ours, row.unit),
    row.theirs === undefined ? "" : amount(row.theirs, row.unit),
    row.peer ?? "",
    figureText(row, row.figure.median),
    rangeText(row, row.figure),
    targetText(row),
    verdict(row),
  ]);
  return alignedTable([header, ...lines]);
}

/** Every row that has a target, the figure beside it. */
export function closingTable(rows: readonly Row[]): string {
  const header = ["row", "measured", "min – max", "target", ""];
  const lines = rows
    .filter((row) => row.target !== undefined)
    .map((row) => [
      `${row.workload}: ${row.label}${row.peer === undefined ? "" : `, ${row.peer}`}`,
      figureText(row, row.figure.median),
      rangeText(row, row.figure),
      targetText(row),
      verdict(row),
    ]);
  return alignedTable([header, ...lines]);
}

function amount(value: number, unit: Unit): string {
  if (unit === "ops/s") {
    if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M/s`;
    return `${(value / 1e3).toFixed(value < 1e4 ? 1 : 0)} k/s`;
  }
  if (unit === "bytes") return `${value.toFixed(1)} B`;
  return `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`;
}

function figureText(row: Row, value: number): string {
  return row.isRatio ? `${value.toFixed(2)} x` : amount(value, row.unit);
}

function rangeText(row: Row, { min, max }: Spread): string {
  const digits = row.isRatio ? 2 : 1;
  return `${min.toFixed(digits)} – ${max.toFixed(digits)}`;
}

function targetText({ target, isRatio, unit }: Row): string {
  if (target === undefined) return "";
  const [sign, bound] = "atLeast" in target ? [">=", target.atLeast] : ["<=", target.atMost];
  if (isRatio) return `${sign} ${bound}`;
  return `${sign} ${bound} ${unit === "bytes" ? "B" : unit}`;
}

function verdict(row: Row): string {
  const met = isMet(row);
  if (met === undefined) return "";
  return met ? "met" : "NOT MET";
}
