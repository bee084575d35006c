/** What a file imports: the module names of `import`, `export … from`, `import()` and `require()`, types included. */

import ts from "typescript";
import { nodes, type SourceFile } from "./source-file.js";

export interface Import {
  /** As written, such as `../clock.js` or `@leakdb/core/adapter`. */
  readonly name: string;
  readonly position: number;
}

export function imports(file: SourceFile): Import[] {
  const found: Import[] = [];
  for (const node of nodes(file)) {
    const name = moduleName(node);
    if (name !== undefined) found.push({ name: name.text, position: node.getStart(file.tree) });
  }
  return found;
}

/** The path from the root of the repository that a relative import leads to, without its suffix. */
export function target(file: SourceFile, name: string): string {
  const parts = file.path.split("/").slice(0, -1);
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/").replace(/\.[cm]?[jt]s$/, "");
}

function moduleName(node: ts.Node): ts.StringLiteralLike | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    const { moduleSpecifier } = node;
    return moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier) ? moduleSpecifier : undefined;
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return ts.isStringLiteral(node.argument.literal) ? node.argument.literal : undefined;
  }
  if (!ts.isCallExpression(node)) return undefined;
  const { expression } = node;
  const isImport = expression.kind === ts.SyntaxKind.ImportKeyword;
  const isRequire = ts.isIdentifier(expression) && expression.text === "require";
  const [name] = node.arguments;
  return (isImport || isRequire) && name !== undefined && ts.isStringLiteralLike(name) ? name : undefined;
}
