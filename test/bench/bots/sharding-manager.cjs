// discord.js's ShardingManager with its defaults: one process per shard, 5.5 s between two starts.
const { ShardingManager } = require('discord.js');
const manager = new ShardingManager(require.resolve('./bench.cjs'), {
  totalShards: Number(process.env.BENCH_SHARDS),
  token: process.env.DISCORD_TOKEN,
  execArgv: ['--require', require.resolve('./use-api.cjs')],
});
manager.spawn({ timeout: -1 });
process.on('SIGUSR2', () => void manager.respawnAll());
