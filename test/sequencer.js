'use strict';
const { default: Sequencer } = require('@jest/test-sequencer');

/** What runs the whole system: it takes long, and two of them at a time are in each other's way. */
const isWhole = ({ path }) => /\/test\/(system|chaos)\//.test(path);

/** Spreads the long tests evenly over the short ones; none is left for the end, when a worker would idle. */
module.exports = class Spread extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    const whole = sorted.filter(isWhole);
    const short = sorted.filter((test) => !isWhole(test));
    const every = Math.ceil(short.length / Math.max(1, whole.length));
    const rounds = whole.flatMap((test, at) => [test, ...short.slice(at * every, (at + 1) * every)]);
    return [...rounds, ...short.slice(whole.length * every)];
  }
};
