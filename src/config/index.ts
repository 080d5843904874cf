export { jsonSchema, reference } from './documentation';
export { detectEntry } from './entry';
export { loadConfig, type LoadedConfig, type LoadOptions } from './load';
export { locateState, type Located } from './locate';
export { ConfigError, formatProblem, type Problem } from './problem';
export { DISCORD_API, type Config } from './schema';
export { redactConfig } from './secrets';
export { initTemplate } from './template';
