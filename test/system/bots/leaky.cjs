// A bot that prints what it should not.
const { Client, Events, GatewayIntentBits } = require('discord.js');

const client = new Client({ intents: [GatewayIntentBits.Guilds] });
client.once(Events.ClientReady, () => {
  console.log(`the bot prints its token: ${process.env.DISCORD_TOKEN}`);
  console.error(
    JSON.stringify({ msg: 'as JSON', token: client.token, nested: { databases: process.env.BOTCTL_DATABASE_URLS } }),
  );
  console.error(new Error(`with the secret ${process.env.WEBHOOK_SECRET}`));
});
client.login(process.env.DISCORD_TOKEN);
