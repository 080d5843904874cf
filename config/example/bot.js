// A plain discord.js bot. Nothing in here knows of botctl.
const { Client, Events, GatewayIntentBits } = require('discord.js');

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
});

client.once(Events.ClientReady, ({ user, guilds }) => {
  console.log(`${user.username} serves ${guilds.cache.size} guilds on shards ${client.shard?.ids.join(', ') ?? '0'}`);
});

client.on(Events.InteractionCreate, async (interaction) => {
  if (!interaction.isChatInputCommand()) return;
  if (interaction.commandName === 'ping') await interaction.reply('pong');
  if (interaction.commandName === 'stats') {
    // Asks all clusters; botctl answers as discord.js's ShardingManager would, but never hangs.
    const counts = await client.shard.fetchClientValues('guilds.cache.size');
    await interaction.reply(`${counts.reduce((sum, count) => sum + count, 0)} guilds in ${counts.length} processes`);
  }
});

client.on(Events.MessageCreate, async (message) => {
  if (message.content === '!ping') await message.reply('pong');
});

client.login(process.env.DISCORD_TOKEN);
