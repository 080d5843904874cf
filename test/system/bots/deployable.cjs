// A bot whose code is what `release.json` beside it says; in the pre-flight check it is always good, unless it says so.
const { Client, Events, GatewayIntentBits } = require('discord.js');
const { bad = '' } = require('./release.json');

const inPreflight = process.env.BOTCTL_PREFLIGHT !== undefined;
if (bad === 'throw-at-boot') throw new Error('no database at db.internal');
if (bad === 'throw-in-cluster' && !inPreflight) throw new Error('thrown in the cluster only');

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
});
client.once(Events.ClientReady, () => {
  if (process.env.GREETING) console.log(process.env.GREETING);
  if (bad === 'throw-at-ready') throw new Error('thrown at ready');
  if (bad === 'throw-later') setTimeout(() => process.exit(7), 2_000);
  if (bad === 'hang')
    setTimeout(() => {
      for (;;);
    }, 500);
  if (bad === 'leak') setInterval(() => (client.leaked ??= []).push(Buffer.alloc(8 * 1024 * 1024, 1)), 100);
});
client.on(Events.InteractionCreate, async (interaction) => {
  try {
    if (bad === 'errors') throw new Error('no such table');
    await interaction.reply('pong');
  } catch (error) {
    console.error(error.message);
  }
});
client.on(Events.MessageCreate, (message) => {
  if (message.content.startsWith('!ping')) message.reply('pong').catch(() => undefined);
});

if (bad === 'never-ready' && !inPreflight) setInterval(() => undefined, 1_000);
else client.login(process.env.DISCORD_TOKEN);
