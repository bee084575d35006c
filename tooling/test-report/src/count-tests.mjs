/**
 * The tests of one run, counted from the JSON report that vitest wrote. A file that could not be loaded, and a test
 * that began and never ended, count as failed: vitest itself counts neither.
 */

/**
 * @typedef {object} Report the part of vitest's JSON report that is read
 * @property {readonly ReportedFile[]} testResults
 *
 * @typedef {object} ReportedFile
 * @property {string} status
 * @property {readonly { readonly status: string }[]} assertionResults
 *
 * @typedef {object} Count
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 */

/**
 * @param {Report} report
 * @returns {Count}
 */
export function countTests(report) {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const file of report.testResults) {
    let failedHere = 0;
    for (const { status } of file.assertionResults) {
      if (status === "passed") count.passed += 1;
      else if (status === "skipped" || status === "todo") count.skipped += 1;
      else failedHere += 1;
    }
    count.failed += file.status === "failed" ? Math.max(failedHere, 1) : failedHere;
  }
  return count;
}

/**
 * The closing lines, the last of which has always the same form, `tests: 12 passed, 0 failed`. Skipped tests stand on
 * a line of their own above it, where there are any.
 *
 * @param {Count} count
 */
export function closingLines({ passed, failed, skipped }) {
  const tests = `tests: ${passed} passed, ${failed} failed`;
  return skipped > 0 ? [`skipped: ${skipped}`, tests] : [tests];
}
