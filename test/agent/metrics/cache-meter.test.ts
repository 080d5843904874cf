import { Client } from 'discord.js';
import { CacheMeter } from '../../../src/agent/metrics/cache-meter';
import { Meter } from '../../../src/agent/metrics/meter';

/** discord.js fills its caches by a method that its types do not show. */
interface Fillable {
  _add(data: object): unknown;
}

const LOADED = {
  id: '2',
  name: 'loaded',
  member_count: 70,
  roles: [{ id: '2', name: '@everyone', permissions: '0' }],
  emojis: [
    { id: '5', name: 'yes', roles: [] },
    { id: '6', name: 'no', roles: [] },
  ],
  channels: [],
  members: [{ user: { id: '9', username: 'somebody' }, roles: [] }],
};

describe("discord.js's caches", () => {
  let client: Client;
  let meter: Meter;

  beforeEach(() => {
    client = new Client({ intents: [] });
    meter = new Meter(100);
  });
  afterEach(() => client.destroy());

  const add = (guild: object): unknown => (client.guilds as unknown as Fillable)._add(guild);
  /** Entries by kind, and how many members the guilds say that they have. */
  const measured = (): Record<string, number> => {
    new CacheMeter(meter).measure([client], 0);
    return Object.fromEntries<number>(
      meter
        .read()
        .gauges.map(({ name, labels, value }) => [name === 'members' ? 'said' : (labels?.['kind'] ?? ''), value]),
    );
  };

  it('are measured', () => {
    add(LOADED);
    expect(measured()).toEqual({
      ...{ guilds: 1, users: 1, channels: 0, members: 1, roles: 1, presences: 0, voice_states: 0, emojis: 2 },
      ...{ messages: 0, said: 70 },
    });
  });

  it('are measured while a guild is unavailable, as all are after READY and some in an outage', () => {
    add({ id: '1', unavailable: true });
    add(LOADED);
    expect(measured()).toMatchObject({ guilds: 2, members: 1, roles: 1, emojis: 2, said: 70 });
  });
});
