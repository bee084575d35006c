/**
 * A file stays readable in one sitting, about 300 lines, and a function on one screen, about 60. A tenth above that
 * is let pass, so that nobody cuts at the wrong place to save three lines. Tests are exempt: they read as lists.
 */

import ts from "typescript";
import { type Finding, finding, lineOf, nodes, type SourceFile } from "./source-file.js";

const FILE_LINES_MAX = 330;
const FUNCTION_LINES_MAX = 66;

export function checkLength(file: SourceFile): Finding[] {
  if (file.isTest) return [];
  const findings: Finding[] = [];
  const fileLines = file.text.replace(/\n$/, "").split("\n").length;
  if (fileLines > FILE_LINES_MAX) {
    findings.push(finding(file, 0, `the file has ${fileLines} lines; at most ${FILE_LINES_MAX}`));
  }
  for (const node of nodes(file)) {
    if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) continue;
    const lines = lineOf(file, node.getEnd()) - lineOf(file, node.getStart(file.tree)) + 1;
    if (lines <= FUNCTION_LINES_MAX) continue;
    const name = node.name?.getText(file.tree) ?? "a function";
    findings.push(
      finding(file, node.getStart(file.tree), `${name} has ${lines} lines; at most ${FUNCTION_LINES_MAX}`),
    );
  }
  return findings;
}
