import { DispatchLog, TOLD_MS } from '../../../src/agent/reshard/dispatch-log';
import { eventKey, guildOf, shardOfGuild } from '../../../src/agent/reshard/event-key';

/** Ids whose shard of 4 is the number. */
const GUILDS = [0n, 1n, 2n, 3n].map((shard) => String(((1_000n * 4n + shard) << 22n) + 7n));

describe('what a process has told its bot', () => {
  it('is known by what it says, and by its id where that is enough', () => {
    const message = { id: '5', guild_id: GUILDS[0], content: 'a' };
    expect(eventKey('MESSAGE_CREATE', message)).toBe(eventKey('MESSAGE_CREATE', { ...message, member: {} }));
    expect(eventKey('CHANNEL_UPDATE', { id: '5', topic: 'a' })).not.toBe(
      eventKey('CHANNEL_UPDATE', { id: '5', topic: 'b' }),
    );
    expect(eventKey('CHANNEL_UPDATE', { id: '5' })).not.toBe(eventKey('CHANNEL_DELETE', { id: '5' }));
    for (const t of ['READY', 'RESUMED', 'GUILD_MEMBERS_CHUNK']) expect(eventKey(t, {})).toBeNull();
    expect(guildOf('GUILD_UPDATE', { id: '8' })).toBe('8');
    expect(guildOf('GUILD_MEMBER_ADD', { id: '9', guild_id: '8' })).toBe('8');
    expect(guildOf('MESSAGE_CREATE', { id: '9' })).toBeNull();
  });

  it('goes to the shards of the other number, with what belongs to no guild, from the last seconds', () => {
    let now = 50_000;
    const log = new DispatchLog(4, () => now);
    const told = (id: number, guild?: string): void => log.add('MESSAGE_CREATE', { id: String(id), guild_id: guild });
    told(1, GUILDS[1]);
    now += TOLD_MS / 2;
    GUILDS.forEach((guild, at) => told(10 + at, guild));
    told(20);
    expect(GUILDS.map((guild) => shardOfGuild(guild, 4))).toEqual([0, 1, 2, 3]);
    const keys = (...ids: number[]): string[] => ids.map((id) => `MESSAGE_CREATE:${id}`);
    expect(log.of([1, 2])).toEqual({ keys: keys(1, 11, 12, 20), since: 50_000 });
    now += TOLD_MS / 2 + 1;
    expect(log.of([1, 2])).toEqual({ keys: keys(11, 12, 20), since: 50_001 });
    // It forgets by itself, too.
    now += 2 * TOLD_MS;
    told(30, GUILDS[1]);
    now += 2 * TOLD_MS + 1;
    told(31, GUILDS[1]);
    expect(log.of([1]).keys).toEqual(keys(31));
  });
});
