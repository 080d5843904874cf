// A bot that keeps what it does and does harm to itself when it is told to.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Client, Events, GatewayIntentBits } = require('discord.js');
const { cache, cluster, db, lifecycle } = require('../../../dist/src/sdk');

const client = new Client({ intents: [GatewayIntentBits.Guilds] });
const visits = cache.region('visits', {
  ttlMs: 60_000,
  load: async (guild) => {
    const { rows } = await db.query(guild, 'SELECT count(*)::int AS n FROM answer WHERE guild_id = $1', [guild]);
    return rows[0]?.n;
  },
});
const droppable = [];
const leaked = [];
/** Time of the last order, and how much of a leak is left of it. */
let obeyedAt = 0;
let mayLeak = 0;
lifecycle.onMemoryPressure(() => droppable.splice(0));
lifecycle.onDegraded(({ name, degraded }) => console.log(`degraded ${name} ${degraded}`));

client.on(Events.InteractionCreate, async (interaction) => {
  const { id, guildId } = interaction;
  try {
    // What is answered is kept: that is what the test holds it to.
    await db.defer(guildId, 'INSERT INTO answer (guild_id, interaction) VALUES ($1, $2)', [guildId, id], { key: id });
    await interaction.reply('kept');
    console.log(`kept ${guildId} ${id}`);
  } catch (error) {
    console.error(`interaction: ${error.message}`);
  }
  await visits.get(guildId).catch(() => undefined);
});

/** { cluster, harm } in a file, looked at now and then. */
function orders() {
  try {
    return JSON.parse(readFileSync(join(process.cwd(), 'harm.json'), 'utf8'));
  } catch {
    return {};
  }
}

setInterval(() => {
  const { cluster: id, harm, at } = orders();
  if (id !== cluster.id) return;
  if (at !== obeyedAt) [obeyedAt, mayLeak] = [at, 20];
  if (harm === 'hang') for (;;);
  if (harm === 'die') process.exit(1);
  const megabytes = (list) => list.push(Array.from({ length: 16 }, () => Buffer.alloc(1024 * 1024, 1)));
  if (harm === 'cache' && droppable.length < 16) megabytes(droppable);
  if (harm === 'leak' && mayLeak-- > 0) megabytes(leaked);
  if (harm === 'wait')
    for (let n = 0; n < 40; n++) db.query('81384788765712384', 'SELECT pg_sleep(0.6)').catch(() => undefined);
}, 200);

client.login(process.env.DISCORD_TOKEN).catch((error) => console.error(`login failed: ${error.message}`));
