'use strict';
const { default: Sequencer } = require('@jest/test-sequencer');

/** What runs the whole system takes longest, and is not to be left for the end, when one worker has nothing else to do. */
const isWhole = ({ path }) => /\/test\/(system|chaos)\//.test(path);

module.exports = class WholeSystemFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return [...sorted.filter(isWhole), ...sorted.filter((test) => !isWhole(test))];
  }
};
