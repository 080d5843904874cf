// A bot that keeps what it does: an interaction is answered when its row is safe.
const { Client, Events, GatewayIntentBits } = require('discord.js');
const { cache, db } = require('../../../dist/src/sdk');

const client = new Client({ intents: [GatewayIntentBits.Guilds] });
const visits = cache.region('visits', {
  ttlMs: 60_000,
  load: async (guild) => {
    const { rows } = await db.query(guild, 'SELECT n FROM visit WHERE guild_id = $1', [guild]);
    return rows[0]?.n;
  },
});

client.on(Events.InteractionCreate, async (interaction) => {
  const { id, guildId } = interaction;
  await db.defer(guildId, 'INSERT INTO answer (guild_id, interaction) VALUES ($1, $2)', [guildId, id], { key: id });
  await interaction.reply('kept');
  await visits.get(guildId).catch(() => undefined); // the database may be down
});

client.login(process.env.DISCORD_TOKEN);
