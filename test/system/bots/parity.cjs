// Asks client.shard everything it can answer, and prints the answers. Runs under ShardingManager and under botctl.
const { setTimeout: delay } = require('node:timers/promises');
const { Client, Events, GatewayIntentBits } = require('discord.js');

const client = new Client({ intents: [GatewayIntentBits.Guilds] });

const settle = (promise) =>
  promise.then(
    (value) => ({ value }),
    (error) => ({ error: { name: error.name, message: error.message, isError: error instanceof Error } }),
  );

async function questions() {
  const { shard } = client;
  const context = { a: 21, nested: { list: [1, 2] } };
  return {
    environment: {
      SHARDS: JSON.parse(process.env.SHARDS),
      SHARD_COUNT: process.env.SHARD_COUNT,
      SHARDING_MANAGER: process.env.SHARDING_MANAGER,
      SHARDING_MANAGER_MODE: process.env.SHARDING_MANAGER_MODE,
      token: process.env.DISCORD_TOKEN === client.token,
      argv: process.argv.slice(2),
      connected: process.connected,
      send: typeof process.send,
      disconnect: typeof process.disconnect,
      channel: typeof process.channel,
    },
    own: { ids: shard.ids, count: shard.count, mode: shard.mode },
    fetchAll: await settle(shard.fetchClientValues('guilds.cache.size')),
    fetchOne: await settle(shard.fetchClientValues('guilds.cache.size', 2)),
    fetchDeep: await settle(shard.fetchClientValues('shard.ids')),
    fetchMissing: await settle(shard.fetchClientValues('no.such.path')),
    fetchNothing: await settle(shard.fetchClientValues('nothing')),
    fetchUnknownShard: await settle(shard.fetchClientValues('guilds.cache.size', 99)),
    evalAll: await settle(shard.broadcastEval((c) => c.shard.ids[0])),
    evalContext: await settle(shard.broadcastEval((c, { a, nested }) => a * nested.list.length, { context })),
    evalOne: await settle(shard.broadcastEval((c) => c.shard.ids, { shard: 1 })),
    evalOneContext: await settle(shard.broadcastEval((c, { a }) => a, { shard: 3, context })),
    evalAsync: await settle(
      shard.broadcastEval(async (c) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return c.user.username;
      }),
    ),
    evalThrows: await settle(
      shard.broadcastEval(() => {
        throw new RangeError('boom');
      }),
    ),
    evalRejects: await settle(shard.broadcastEval(() => Promise.reject(new TypeError('later')))),
    evalUndefined: await settle(shard.broadcastEval(() => undefined)),
    evalNull: await settle(shard.broadcastEval(() => null)),
    evalObject: await settle(
      shard.broadcastEval((c) => ({ id: c.shard.ids, date: new Date(0), map: new Map([[1, 2]]) })),
    ),
    evalText: await settle(shard.broadcastEval('this.shard.ids')),
    evalUnknownShard: await settle(shard.broadcastEval(() => 1, { shard: 99 })),
    evalLarge: await settle(shard.broadcastEval(() => 'x'.repeat(1_000_000).length + '\u{1F600}')),
    equalAtOnce: await settle(
      Promise.all(Array.from({ length: 20 }, () => shard.broadcastEval((c) => c.shard.ids[0]))),
    ),
    differentAtOnce: await settle(
      Promise.all(Array.from({ length: 20 }, (_, n) => shard.broadcastEval((c, { n }) => n, { context: { n } }))),
    ),
    fetchesAtOnce: await settle(Promise.all(Array.from({ length: 20 }, () => shard.fetchClientValues('shard.count')))),
    sends: await settle(shard.send({ hello: 'manager' })),
    listeners: process.listenerCount('message'),
  };
}

client.once(Events.ClientReady, async () => {
  if (!client.shard.ids.includes(0)) return;
  // Not before all the others are there.
  for (;;) {
    const { value } = await settle(client.shard.fetchClientValues('readyTimestamp'));
    if (value?.every((timestamp) => timestamp !== null)) break;
    await delay(100);
  }
  console.log(`PARITY ${JSON.stringify(await questions())}`);
});

client.login(process.env.DISCORD_TOKEN);
