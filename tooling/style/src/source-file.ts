/**
 * One file of the repository as the checks see it: where it stands, what it says, and its syntax tree. Every check
 * is a function from these to {@link Finding}s and touches no disk, so that its own tests are a few lines of text.
 */

import ts from "typescript";

/** One breach of the house style; `line` counts from 1. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export interface SourceFile {
  /** From the root of the repository, with `/`, such as `packages/core/src/key.ts`. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  /** A unit test beside its source, the fixture it runs (`name-fixture.mjs`), or anything below a `test` folder. */
  readonly isTest: boolean;
}

const TEST = /(\.test|-fixture)\.[cm]?[jt]s$|\/test\//;

export function sourceFile(path: string, text: string): SourceFile {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  return { path, text, tree, isTest: TEST.test(path) };
}

/** The file's name without its folder and without anything from the first dot on. */
export function stem(path: string): string {
  return (path.split("/").at(-1) ?? path).replace(/\..*$/, "");
}

export function finding(file: SourceFile, position: number, message: string): Finding {
  return { path: file.path, line: lineOf(file, position), message };
}

export function lineOf(file: SourceFile, position: number): number {
  return file.tree.getLineAndCharacterOfPosition(position).line + 1;
}

/** Every node below the root, parents before children. */
export function* nodes(file: SourceFile): Generator<ts.Node> {
  const waiting: ts.Node[] = [file.tree];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node !== file.tree) yield node;
    const children: ts.Node[] = [];
    ts.forEachChild(node, (child) => {
      children.push(child);
    });
    waiting.push(...children.reverse());
  }
}

export interface Comment {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Every comment in the order of the file; what looks like one inside a string is none. */
export function comments(file: SourceFile): Comment[] {
  const found = new Map<number, Comment>();
  const add = (start: number, end: number): void => {
    found.set(start, { start, end, text: file.text.slice(start, end) });
  };
  const visit = (node: ts.Node): void => {
    // A doc comment is found before the node it belongs to; what is inside it is text.
    if (ts.isJSDoc(node)) return;
    ts.forEachLeadingCommentRange(file.text, node.getFullStart(), add);
    ts.forEachTrailingCommentRange(file.text, node.getEnd(), add);
    for (const child of node.getChildren(file.tree)) visit(child);
  };
  visit(file.tree);
  return [...found.values()].sort((left, right) => left.start - right.start);
}

/** A reason is a sentence, however short. */
const REASON_WORDS_MIN = 3;

/** The lines on which a comment ends that has words enough to be a reason. */
export function linesWithReason(file: SourceFile): Set<number> {
  const lines = new Set<number>();
  for (const { end, text } of comments(file)) {
    const words = text.match(/[\p{L}\p{N}]+/gu) ?? [];
    if (words.length >= REASON_WORDS_MIN) lines.add(lineOf(file, end));
  }
  return lines;
}

/** True when a reason stands on the line of `position` or directly above it. */
export function hasReason(file: SourceFile, position: number, reasons: ReadonlySet<number>): boolean {
  const line = lineOf(file, position);
  return reasons.has(line) || reasons.has(line - 1);
}
