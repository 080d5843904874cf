// It hears what users want, and never answers.
const { Client, Events, GatewayIntentBits } = require('discord.js');

const client = new Client({ intents: [GatewayIntentBits.Guilds] });

client.on(Events.InteractionCreate, () => undefined);

client.login(process.env.DISCORD_TOKEN);
