/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

const config: Config = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  globalSetup: '<rootDir>/test/setup/global.ts',
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.(ts|mjs)$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  // Comes as an ES module only.
  transformIgnorePatterns: ['/node_modules/(?!s3mini/)'],
  // import('./x.js') of a compiled file is x.ts here.
  moduleNameMapper: { '^(\\.{1,2}/(?:document|interpolate))\\.js$': '$1' },
  // For machines that are three times as slow as usual: what waits for a condition loses no time by it.
  testTimeout: 180_000,
  // They wait more than they compute.
  maxWorkers: 3,
  testSequencer: '<rootDir>/test/sequencer.js',
  reporters: ['default', '<rootDir>/test/reporter.js'],
};

export default config;
