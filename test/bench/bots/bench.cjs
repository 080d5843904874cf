// The bot of the benchmarks. PEER says under which manager it runs; botctl and ShardingManager get the plain bot.
const { appendFileSync } = require('node:fs');
const { Client, Events, GatewayIntentBits } = require('discord.js');

const { PEER, BENCH_FILE, BENCH_TASK } = process.env;
const hybrid = PEER === 'hybrid' ? require('discord-hybrid-sharding') : null;

const note = (record) =>
  appendFileSync(BENCH_FILE, `${JSON.stringify({ at: Date.now(), pid: process.pid, ...record })}\n`);

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
  ...(hybrid && { shards: hybrid.getInfo().SHARD_LIST, shardCount: hybrid.getInfo().TOTAL_SHARDS }),
});
if (hybrid) client.cluster = new hybrid.ClusterClient(client);
const manager = () => client.cluster ?? client.shard;
const shardIds = () => [...client.ws.shards.keys()];

function serve() {
  client.on(Events.InteractionCreate, (interaction) => {
    // An order of the benchmark: the next event after it hangs this process.
    if (process.env.BENCH_HANG === '1' && shardIds().includes(0)) {
      try {
        require('node:fs').unlinkSync(`${BENCH_FILE}.hang`);
        note({ event: 'hung' });
        for (;;);
      } catch {
        // no order
      }
    }
    interaction.reply('pong').catch(() => undefined);
  });
  client.on(Events.MessageCreate, (message) => {
    if (message.content.startsWith('!ping')) message.reply('pong').catch(() => undefined);
  });
}
// As the guide of discord-hybrid-sharding has it: a cluster is ready when its bot says so, and serves from then on.
if (hybrid) {
  client.once(Events.ClientReady, () => client.cluster.triggerReady());
  client.cluster.once('ready', serve);
} else serve();

client.once(Events.ClientReady, async () => {
  note({ event: 'ready', shards: shardIds() });
  if (BENCH_TASK !== 'broadcast' || !shardIds().includes(0)) return;
  // The others must be there first.
  for (;;) {
    const ready = await manager()
      .fetchClientValues('readyTimestamp')
      .catch(() => []);
    const all = await manager()
      .broadcastEval((c) => [...c.ws.shards.keys()])
      .catch(() => []);
    if (ready.every((timestamp) => timestamp) && all.flat().length === Number(process.env.BENCH_SHARDS)) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const times = [];
  for (let call = 0; call < 2200; call++) {
    const start = performance.now();
    await manager().broadcastEval((c) => c.ws.shards.size);
    if (call >= 200) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  note({ event: 'broadcast', p50: times[Math.floor(times.length * 0.5)], p99: times[Math.floor(times.length * 0.99)] });
  // And with one cluster that does not answer: hung by a broadcast to its shard.
  manager()
    .broadcastEval(
      (c) => {
        if ([...c.ws.shards.keys()].includes(5)) for (;;);
      },
      { timeout: 0 },
    )
    .catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const start = performance.now();
  const settled = manager()
    .broadcastEval((c) => c.ws.shards.size)
    .then(
      () => 'answered',
      (error) => `rejected: ${error.message}`,
    );
  const how = await Promise.race([
    settled,
    new Promise((resolve) => setTimeout(resolve, 40_000, 'never settled (40 s)')),
  ]);
  note({ event: 'broadcast-hung', ms: performance.now() - start, how });
});

client.login(process.env.DISCORD_TOKEN);
