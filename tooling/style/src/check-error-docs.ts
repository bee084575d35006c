/** Every error code a user can meet has a section of its own in `docs/errors.md`, and no section speaks of a ghost. */

import type { Finding, SourceFile } from "./source-file.js";

const CODE = /\bLEAKDB_[A-Z_]+\b/;

/** `errors` is `packages/core/src/errors.ts`; `guide` the text of `docs/errors.md`, `""` where there is none. */
export function checkErrorDocs(errors: SourceFile, guide: string): Finding[] {
  const path = "docs/errors.md";
  const codes = new Set(errors.text.match(/(?<=")LEAKDB_[A-Z_]+(?=")/g));
  const headings = new Map<string, number>();
  guide.split("\n").forEach((text, index) => {
    const code = /^#{2,}\s/.test(text) ? CODE.exec(text)?.[0] : undefined;
    if (code !== undefined) headings.set(code, index + 1);
  });
  const missing = [...codes].filter((code) => !headings.has(code));
  const ghosts = [...headings].filter(([code]) => !codes.has(code));
  return [
    ...missing.map((code) => ({ path, line: 1, message: `${code} has no heading` })),
    ...ghosts.map(([code, line]) => ({ path, line, message: `${code} is not a code of core` })),
  ];
}
