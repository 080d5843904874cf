// Hands a count and a list over to its next process; may be told to fail, or to be slow, by files in its folder.
const { existsSync } = require('node:fs');
const { setTimeout: delay } = require('node:timers/promises');
const { Client, Events, GatewayIntentBits } = require('discord.js');
const { cluster, lifecycle } = require('../../../dist/src/sdk');

if (existsSync('broken')) process.exit(3);

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
});
let answered = 0;
let importing = false;

lifecycle.onHandoff({
  export: () => ({ answered }),
  import: async (state) => {
    importing = true;
    while (existsSync('slow-import')) await delay(10);
    importing = false;
    answered = state.answered;
    console.log(`cluster ${cluster.id} has taken over a count of ${answered}`);
  },
});

client.once(Events.ClientReady, (ready) => {
  const channel = ready.channels.cache.find((one) => one.isTextBased());
  channel.createMessageCollector({ filter: () => false });
  if (existsSync('slow-ready')) for (const end = Date.now() + 1_000; Date.now() < end;);
});
client.on(Events.Raw, () => {
  if (importing) console.log('has heard of an event too early');
});
client.on(Events.InteractionCreate, async (interaction) => {
  answered++;
  await interaction.reply('pong');
});
client.on(Events.MessageCreate, (message) => {
  answered++;
  if (message.content.startsWith('!ping')) return message.reply('pong');
});

client.login(process.env.DISCORD_TOKEN);
