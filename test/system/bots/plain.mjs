// The plain bot as an ES module.
import { Client, Events, GatewayIntentBits } from 'discord.js';

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
});

client.once(Events.ClientReady, (ready) => console.log(`ready as ${ready.user.tag}`));
client.on(Events.InteractionCreate, (interaction) => interaction.reply('pong'));
client.on(Events.MessageCreate, async (message) => {
  if (message.content.startsWith('!ping')) await message.reply('pong');
});

await client.login(process.env.DISCORD_TOKEN);
