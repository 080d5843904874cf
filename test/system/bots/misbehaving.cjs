// A bot that does what BAD says, in the clusters that BAD_SHARD names (all when it is unset).
const { Client, Events, GatewayIntentBits } = require('discord.js');

const shards = JSON.parse(process.env.SHARDS);
const bad =
  process.env.BAD_SHARD === undefined || shards.includes(Number(process.env.BAD_SHARD)) ? process.env.BAD : '';

if (bad === 'exit-at-boot') process.exit(1);
if (bad === 'loop-at-boot') for (;;);
if (bad === 'throw-at-boot') throw new Error('thrown at boot');
if (bad === 'exit-at-random') setTimeout(() => process.exit(1), Math.random() * 1500);
if (bad === 'ignore-sigterm') process.on('SIGTERM', () => console.log('SIGTERM ignored'));

const client = new Client({ intents: [GatewayIntentBits.Guilds] });
client.once(Events.ClientReady, () => {
  if (bad === 'exit-at-ready') process.exit(1);
  if (bad === 'flood') setInterval(() => console.log('x'.repeat(1000)), 1);
});
client.on(Events.InteractionCreate, (interaction) => {
  if (bad === 'loop-at-event') {
    console.log('looping');
    for (;;);
  }
  interaction.reply('pong').catch(() => undefined);
});
if (bad === 'destroy-on-sigterm') {
  process.on('SIGTERM', async () => {
    await client.destroy();
    process.exit(0);
  });
}
if (bad === 'never-login') setInterval(() => undefined, 1000);
// Caught, as many bots do: nothing is left then, and the process ends with exit code 0.
else client.login(process.env.DISCORD_TOKEN).catch((error) => console.error(`login failed: ${error.message}`));
