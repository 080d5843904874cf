/** Buckets that guilds are placed by. Fixed for the life of a deployment: the rows of a bucket are found by it in SQL. */
export const BUCKETS = 1_024;

/**
 * The bucket of a guild: the low ten bits of Postgres's own `hashint8`, so that SQL can select a bucket too
 * (`hashint8(guild_id) & 1023`). See hash_bytes_uint32 in Postgres's src/common/hashfn.c.
 */
export function bucketOf(guildId: bigint): number {
  const low = Number(BigInt.asIntN(32, guildId));
  const high = Number(BigInt.asIntN(32, guildId >> 32n));
  return hashUint32(low ^ (guildId >= 0n ? high : ~high)) & (BUCKETS - 1);
}

/** SQL for the bucket of a column. */
export function bucketSql(column: string): string {
  return `(hashint8((${column})::bigint) & ${BUCKETS - 1})`;
}

function hashUint32(key: number): number {
  // 4 bytes: 0x9e3779b9 + 4 + 3923095
  const seed = 0x9e3779b9 + 4 + 3_923_095;
  let a = (seed + key) | 0;
  let b = seed | 0;
  let c = seed | 0;
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  return ((c ^ b) - rotate(b, 24)) | 0;
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
