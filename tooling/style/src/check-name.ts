/**
 * Files and folders are named in kebab-case after what they hold. A name that would fit anything is refused: when
 * something has no room, the design is missing a room.
 */

import { type Finding, finding, type SourceFile } from "./source-file.js";

const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const FITS_ANYTHING = new Set([
  ...["util", "utils", "helper", "helpers", "common", "manager", "managers", "impl", "misc", "stuff"],
]);

export function checkName(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  for (const part of file.path.split("/")) {
    const [name = "", ...suffixes] = part.split(".");
    if (![name, ...suffixes].every((piece) => KEBAB_CASE.test(piece))) {
      findings.push(finding(file, 0, `"${part}" is not in kebab-case`));
    }
    const word = name.split("-").find((piece) => FITS_ANYTHING.has(piece));
    if (word !== undefined)
      findings.push(finding(file, 0, `"${word}" in a name says nothing of what is inside`));
  }
  return findings;
}
