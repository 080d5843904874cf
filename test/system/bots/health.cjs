// A bot with checks of its own, that does what the file named by ORDERS says: block, hang, eat.
const { existsSync, readFileSync } = require('node:fs');
const { Client, GatewayIntentBits } = require('discord.js');
const { health } = require('../../../dist/src/sdk');

const order = () => (existsSync(process.env.ORDERS) ? readFileSync(process.env.ORDERS, 'utf8') : '');

health.register(
  'orders',
  (signal) => {
    if (order() === 'hang') return new Promise((resolve, reject) => signal.addEventListener('abort', reject));
  },
  { intervalMs: 1000, timeoutMs: 500 },
);

let eaten = null;
setInterval(() => {
  if (order() === 'eat') eaten ??= Buffer.alloc(400 * 1024 * 1024, 1);
  else if (eaten !== null) {
    eaten = null;
    global.gc(); // an idle process might keep it for long
  }
  if (order() !== 'block') return;
  // The loop comes round, but late each time; no hang that botctl would end.
  const end = Date.now() + 700;
  while (Date.now() < end);
}, 50);

const client = new Client({ intents: [GatewayIntentBits.Guilds] });
client.on('interactionCreate', (interaction) => interaction.reply('pong').catch(() => undefined));
client.login(process.env.DISCORD_TOKEN);
