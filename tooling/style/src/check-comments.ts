/**
 * A source file opens with a doc comment that says what it is. No comment puts work off, and none silences the
 * compiler, except for `@ts-expect-error` with its reason, which fails again when the error is gone.
 */

import { comments, type Finding, finding, type SourceFile, stem } from "./source-file.js";

const PUT_OFF = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"].join("|")})\\b`);
const SILENCER = /@ts-(ignore|nocheck)\b/;
const EXPECTED_WITHOUT_REASON = /@ts-expect-error[\s*/]*$/;

export function checkComments(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  if (!file.isTest && stem(file.path) !== "index" && !opensWithDoc(file.text)) {
    findings.push(finding(file, 0, "the file must open with a doc comment that says what it is"));
  }
  for (const { start, text } of comments(file)) {
    const word = PUT_OFF.exec(text)?.[1];
    if (word !== undefined) findings.push(finding(file, start, `${word}: finish it, or write an issue`));
    if (SILENCER.test(text)) findings.push(finding(file, start, "silences the compiler; repair the type"));
    if (EXPECTED_WITHOUT_REASON.test(text))
      findings.push(finding(file, start, "@ts-expect-error has no reason"));
  }
  return findings;
}

function opensWithDoc(text: string): boolean {
  return text.replace(/^#!.*\n/, "").startsWith("/**");
}
