/** The snapshot cannot be written or used; the shards have to identify instead of resuming. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}
