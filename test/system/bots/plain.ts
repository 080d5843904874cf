// The plain bot in TypeScript, run by tsx.
import { Client, Events, GatewayIntentBits, type Message } from 'discord.js';

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
});

client.once(Events.ClientReady, (ready) => console.log(`ready as ${ready.user.tag}`));
client.on(Events.InteractionCreate, (interaction) => {
  if (interaction.isRepliable()) void interaction.reply('pong');
});
client.on(Events.MessageCreate, (message: Message) => {
  if (message.content.startsWith('!ping')) void message.reply('pong');
});

void client.login(process.env['DISCORD_TOKEN']);
