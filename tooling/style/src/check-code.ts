/**
 * What no file may do: cast to `any`, or swallow a failure in an empty `catch`. And what a library may not do to the
 * process it is a guest in: end it, or write to its console. In a worker thread `process.exit` ends that thread alone;
 * a comment on the line or above it must say so.
 */

import ts from "typescript";
import { type Finding, finding, hasReason, linesWithReason, nodes, type SourceFile } from "./source-file.js";

export function checkCode(file: SourceFile): Finding[] {
  const isLibrary = file.path.startsWith("packages/") && !file.isTest;
  const reasons = isLibrary ? linesWithReason(file) : new Set<number>();
  const findings: Finding[] = [];
  for (const node of nodes(file)) {
    const message = breach(node, file) ?? (isLibrary ? libraryBreach(node, file, reasons) : undefined);
    if (message !== undefined) findings.push(finding(file, node.getStart(file.tree), message));
  }
  return findings;
}

function breach(node: ts.Node, file: SourceFile): string | undefined {
  if (ts.isAsExpression(node) || ts.isTypeAssertionExpression(node)) {
    return node.type.kind === ts.SyntaxKind.AnyKeyword ? "casts to any" : undefined;
  }
  if (ts.isCatchClause(node)) {
    return isEmpty(node.block, file) ? "an empty catch swallows a failure; say at least why" : undefined;
  }
  if (ts.isCallExpression(node) && memberName(node.expression) === "catch") {
    const [handler] = node.arguments;
    const isFunction =
      handler !== undefined && (ts.isArrowFunction(handler) || ts.isFunctionExpression(handler));
    if (isFunction && ts.isBlock(handler.body) && isEmpty(handler.body, file)) {
      return "an empty catch swallows a failure; say at least why";
    }
  }
  return undefined;
}

function libraryBreach(node: ts.Node, file: SourceFile, reasons: ReadonlySet<number>): string | undefined {
  if (!ts.isPropertyAccessExpression(node) || !ts.isIdentifier(node.expression)) return undefined;
  const object = node.expression.text;
  if (object === "console") return "a package never writes to the console; a background failure is an event";
  if (object !== "process") return undefined;
  if (["abort", "reallyExit"].includes(node.name.text)) return "a package never ends the process";
  if (node.name.text === "exit" && !hasReason(file, node.getStart(file.tree), reasons)) {
    return "a package never ends the process; where it ends a thread alone, a comment says so";
  }
  return undefined;
}

/** True for a block without a statement and without a comment that would say why there is none. */
function isEmpty(block: ts.Block, file: SourceFile): boolean {
  return block.getText(file.tree).replace(/\s/g, "") === "{}";
}

function memberName(expression: ts.Expression): string | undefined {
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : undefined;
}
