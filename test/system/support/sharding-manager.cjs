// discord.js's own ShardingManager: node sharding-manager.cjs <entry> <shards>
const { ShardingManager } = require('discord.js');
const [entry, shards] = process.argv.slice(2);
const manager = new ShardingManager(entry, {
  totalShards: Number(shards),
  token: process.env.DISCORD_TOKEN,
  execArgv: ['--require', require.resolve('./use-api.cjs')],
});
manager.spawn({ delay: 0 }).catch((error) => {
  console.error(error);
  process.exit(1);
});
