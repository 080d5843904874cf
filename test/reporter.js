'use strict';

/** Prints the closing line `N passed, N failed` (and `, N skipped`) that CI reads. */
class ClosingLineReporter {
  onRunComplete(_contexts, results) {
    // A suite that cannot even load counts as one failure, so a broken file is never silent.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const tail = skipped > 0 ? `, ${skipped} skipped` : '';
    process.stderr.write(`\n`);
    process.on('exit', () => process.stdout.write(`${results.numPassedTests} passed, ${failed} failed${tail}\n`));
  }
}

module.exports = ClosingLineReporter;
