// A bot that says what it is told about itself.
const { Client, Events, GatewayIntentBits } = require('discord.js');
const { cluster, lifecycle } = require('../../../dist/src/sdk');

const client = new Client({ intents: [GatewayIntentBits.Guilds] });
const say = (text) => console.log(`cluster ${cluster.id}: ${text}`);

lifecycle.onMemoryPressure(() => say('caches dropped'));
lifecycle.onDegraded(({ name, degraded }) => say(`${name} ${degraded} ${lifecycle.degraded(name)}`));
lifecycle.onDrain(({ reason }) =>
  say(`drain ${reason}, ${client.ws.shards.filter(({ status }) => status === 0).size} connected`),
);
client.on(Events.InteractionCreate, (interaction) => interaction.reply('pong'));
client.login(process.env.DISCORD_TOKEN);
