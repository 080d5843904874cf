// discord-hybrid-sharding with its defaults and the heartbeat plugin that its guide recommends.
const { ClusterManager, HeartbeatManager, ReClusterManager } = require('discord-hybrid-sharding');
const manager = new ClusterManager(require.resolve('./bench.cjs'), {
  totalShards: Number(process.env.BENCH_SHARDS),
  shardsPerClusters: Number(process.env.BENCH_PER_CLUSTER),
  mode: 'process',
  token: process.env.DISCORD_TOKEN,
  execArgv: ['--require', require.resolve('./use-api.cjs')],
  respawn: true,
});
manager.extend(new HeartbeatManager({ interval: 2000, maxMissedHeartbeats: 5 }));
manager.extend(new ReClusterManager());
process.on('SIGUSR2', () => void manager.recluster.start({ restartMode: process.env.BENCH_MODE }));
manager.spawn({ timeout: -1 });
