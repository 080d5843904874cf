export { DISCORD_LIMITS, type RestLimitOptions } from './rest-limits';
export { SandboxClient, SandboxClientError } from './client';
export { FAULTS, FaultError, type FaultName, type FaultOptions } from './faults';
export type { SandboxOptions } from './options';
export { Sandbox, type SandboxReport } from './sandbox';
