/**
 * The caches of a discord.js 14 client in a file, for a planned stop: a fresh process takes them over and can resume
 * its sessions, for which Discord sends no READY and no guilds.
 *
 * Not carried: application commands and application emojis and subscriptions the bot fetched (they are fetched again
 * on demand); of cached messages (themselves only on request) the interaction metadata, forwarded copies, resolved
 * values, voters of polls; of invites the embedded application, stage and event; what the bot itself hung on
 * structures; raw fields that discord.js does not keep; voice connections, collectors, timers.
 */
export { SnapshotError } from './errors';
export type { HeaderRecord, Payload, SnapshotMeta, SnapshotRecord } from './format';
export { Hydration } from './hydrate';
export type { GatewayStream, HydrationResult } from './hydrate';
export { mergeHeaders, openSnapshots, SnapshotFile } from './open';
export type { Snapshot } from './open';
export { Slices } from './slices';
export { CacheCopy, snapshotHeader, writeSnapshot } from './write';
export type { RecordSink, SnapshotOptions } from './write';
