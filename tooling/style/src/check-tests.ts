/**
 * A test that does not run is no test. `.only` is never left in; `.skip` and its kin need a comment that gives the
 * reason, on the same line or directly above.
 */

import ts from "typescript";
import { comments, type Finding, finding, lineOf, nodes, type SourceFile } from "./source-file.js";

const RUNNERS = new Set(["test", "it", "describe", "suite", "bench"]);
const NEEDS_REASON = new Set(["skip", "todo", "skipIf", "runIf", "fails"]);
/** A reason is a sentence, however short. */
const REASON_WORDS_MIN = 3;

export function checkTests(file: SourceFile): Finding[] {
  if (!file.isTest) return [];
  const explained = linesWithReason(file);
  const findings: Finding[] = [];
  for (const node of nodes(file)) {
    if (!ts.isPropertyAccessExpression(node) || !isRunner(node.expression)) continue;
    const name = node.name.text;
    const position = node.name.getStart(file.tree);
    const line = lineOf(file, position);
    if (name === "only") {
      findings.push(finding(file, position, ".only keeps the other tests from running"));
    } else if (NEEDS_REASON.has(name) && !explained.has(line) && !explained.has(line - 1)) {
      findings.push(finding(file, position, `.${name} needs a comment that gives the reason`));
    }
  }
  return findings;
}

/** The leftmost name of `test`, `test.concurrent`, `describe.each(…)`. */
function isRunner(expression: ts.Expression): boolean {
  if (ts.isIdentifier(expression)) return RUNNERS.has(expression.text);
  if (ts.isPropertyAccessExpression(expression) || ts.isCallExpression(expression)) {
    return isRunner(expression.expression);
  }
  return false;
}

/** Lines on which a comment ends that has words enough to be a reason. */
function linesWithReason(file: SourceFile): Set<number> {
  const lines = new Set<number>();
  for (const { end, text } of comments(file)) {
    const words = text.match(/[\p{L}\p{N}]+/gu) ?? [];
    if (words.length >= REASON_WORDS_MIN) lines.add(lineOf(file, end));
  }
  return lines;
}
