// A plain discord.js bot that knows nothing of botctl.
const { Client, Events, GatewayIntentBits } = require('discord.js');

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
});

client.once(Events.ClientReady, (ready) => console.log(`ready as ${ready.user.tag}`));
client.on(Events.InteractionCreate, (interaction) => interaction.reply('pong'));
client.on(Events.MessageCreate, (message) => {
  if (message.content.startsWith('!ping')) return message.reply('pong');
});

client.login(process.env.DISCORD_TOKEN);
