/**
 * A test that does not run is no test. `.only` is never left in; `.skip` and its kin need a comment that gives the
 * reason, on the same line or directly above.
 */

import ts from "typescript";
import { type Finding, finding, hasReason, linesWithReason, nodes, type SourceFile } from "./source-file.js";

const RUNNERS = new Set(["test", "it", "describe", "suite", "bench"]);
const NEEDS_REASON = new Set(["skip", "todo", "skipIf", "runIf", "fails"]);

export function checkTests(file: SourceFile): Finding[] {
  if (!file.isTest) return [];
  const reasons = linesWithReason(file);
  const findings: Finding[] = [];
  for (const node of nodes(file)) {
    if (!ts.isPropertyAccessExpression(node) || !isRunner(node.expression)) continue;
    const name = node.name.text;
    const position = node.name.getStart(file.tree);
    if (name === "only") {
      findings.push(finding(file, position, ".only keeps the other tests from running"));
    } else if (NEEDS_REASON.has(name) && !hasReason(file, position, reasons)) {
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
