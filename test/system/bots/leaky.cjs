// A bot that prints what it should not.
const { Client, Events, GatewayIntentBits } = require('discord.js');
const { cache, db } = require('../../../dist/src/sdk');

const client = new Client({ intents: [GatewayIntentBits.Guilds] });
client.once(Events.ClientReady, async () => {
  const visits = cache.region('visits', { ttlMs: 1_000, load: () => db.query('1', 'SELECT 1') });
  const refused = await visits.get('x').catch((error) => error);
  console.error(refused, JSON.stringify(refused), process.env.BOTCTL_DATA);
  console.log(`the bot prints its token: ${process.env.DISCORD_TOKEN}`);
  console.error(
    JSON.stringify({ msg: 'as JSON', token: client.token, nested: { databases: process.env.BOTCTL_DATABASE_URLS } }),
  );
  console.error(new Error(`with the secret ${process.env.WEBHOOK_SECRET}`));
});
client.login(process.env.DISCORD_TOKEN);
