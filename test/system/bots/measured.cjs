// A bot that adds metrics of its own.
const { Client, Events, GatewayIntentBits } = require('discord.js');
const { cluster, metrics } = require('../../../dist/src/sdk');

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
});

client.once(Events.ClientReady, () => {
  // Not 1,000 series, whatever it records; and nothing of this throws.
  metrics.gauge('mood', 0.5 + cluster.id, { of: 'the bot' });
  metrics.record('not a name', 1);
  metrics.increment('nothing', NaN);
});
client.on(Events.InteractionCreate, async (interaction) => {
  const begin = performance.now();
  metrics.increment('pings', 1, { kind: 'slash', guild: interaction.guildId });
  await interaction.reply('pong');
  metrics.record('ping_seconds', (performance.now() - begin) / 1000);
});
client.on(Events.MessageCreate, (message) => message.reply('pong'));

client.login(process.env.DISCORD_TOKEN);
