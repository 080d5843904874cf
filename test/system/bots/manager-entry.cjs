// The file an operator may name by mistake: the one that starts discord.js's own manager.
const { ShardingManager } = require('discord.js');
new ShardingManager(require.resolve('./plain.cjs'), { totalShards: 2, token: process.env.DISCORD_TOKEN }).spawn();
