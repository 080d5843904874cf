/**
 * What runs inside Redis. KEYS[1] is the entry and KEYS[2] its lease (both in one slot of a cluster), or KEYS[1] is the
 * log. A lease holds the token of the process that loads; a `+` behind it says that others wait for it. Messages are
 * published in the same step as the change they tell of, so none is lost between the two.
 */
export const SCRIPTS = {
  /** ARGV token, lease ms, identity of the entry that is of no use (or ''). The entry {0, entry}, the lease {1}, or a wait {2, ms}. */
  cacheAcquire: {
    numberOfKeys: 2,
    lua: `
local entry = redis.call('GET', KEYS[1])
if entry and string.sub(entry, 1, #ARGV[3]) ~= ARGV[3] then return {0, entry} end
if entry and ARGV[3] == '' then return {0, entry} end
local lease = redis.call('GET', KEYS[2])
if not lease then
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
  return {1}
end
local left = redis.call('PTTL', KEYS[2])
if string.sub(lease, -1) ~= '+' then redis.call('SET', KEYS[2], lease .. '+', 'PX', math.max(left, 1)) end
return {2, left}`,
  },
  /** ARGV token, entry, ms it lives, channel, message to those who wait. 1: stored; 0: the lease is gone, something newer may be there. */
  cacheFill: {
    numberOfKeys: 2,
    lua: `
local lease = redis.call('GET', KEYS[2])
if lease ~= ARGV[1] and lease ~= ARGV[1] .. '+' then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
if lease ~= ARGV[1] then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1`,
  },
  /** ARGV token, channel, message to those who wait. */
  cacheRelease: {
    numberOfKeys: 2,
    lua: `
local lease = redis.call('GET', KEYS[2])
if lease ~= ARGV[1] and lease ~= ARGV[1] .. '+' then return 0 end
redis.call('DEL', KEYS[2])
if lease ~= ARGV[1] then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return 1`,
  },
  /** ARGV token, lease ms. */
  cacheRenew: {
    numberOfKeys: 2,
    lua: `
local lease = redis.call('GET', KEYS[2])
if lease ~= ARGV[1] and lease ~= ARGV[1] .. '+' then return 0 end
return redis.call('PEXPIRE', KEYS[2], ARGV[2])`,
  },
  /** ARGV entry, ms it lives, channel, message. Ends every lease: what is being loaded is older than this. */
  cacheWrite: {
    numberOfKeys: 2,
    lua: `
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1`,
  },
  /** ARGV channel, message. */
  cacheDelete: {
    numberOfKeys: 2,
    lua: `
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1`,
  },
  /**
   * ARGV member, us kept, most members, channel, start of the message. A sorted set of members by number; the number is
   * Redis's own time in us, so it grows even when all data is lost. Returns the number.
   */
  cacheAppend: {
    numberOfKeys: 1,
    lua: `
local time = redis.call('TIME')
local seq = time[1] * 1000000 + time[2]
local floor = tonumber(redis.call('ZSCORE', KEYS[1], '') or seq)
local top = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if top and tonumber(top) >= seq then seq = tonumber(top) + 1 end
floor = math.max(floor, seq - ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', floor))
redis.call('ZADD', KEYS[1], string.format('%.0f', seq), ARGV[1])
local count = redis.call('ZCARD', KEYS[1])
if count > tonumber(ARGV[3]) then
  local last = math.floor(count / 2)
  floor = tonumber(redis.call('ZRANGE', KEYS[1], last - 1, last - 1, 'WITHSCORES')[2])
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, last - 1)
end
redis.call('ZADD', KEYS[1], string.format('%.0f', floor), '')
local text = string.format('%.0f', seq)
redis.call('PUBLISH', ARGV[4], ARGV[5] .. text .. ']')
return text`,
  },
  /**
   * ARGV number known already, channel, start of the message. The members after that number, each before its number, and
   * the floor among them when it is later. A log that is not there (first start, lost data, evicted) begins at now.
   */
  cacheSync: {
    numberOfKeys: 1,
    lua: `
if redis.call('EXISTS', KEYS[1]) == 0 then
  local time = redis.call('TIME')
  local text = string.format('%.0f', time[1] * 1000000 + time[2])
  redis.call('ZADD', KEYS[1], text, '')
  redis.call('PUBLISH', ARGV[2], ARGV[3] .. text .. ']')
end
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'WITHSCORES')`,
  },
} as const;
