// Sends COUNT messages at RATE per second over the channels of its guilds, each with an id, and says how each one ended.
// It begins when the file START is there.
const { existsSync } = require('node:fs');
const { Client, Events, GatewayIntentBits } = require('discord.js');

const count = Number(process.env.COUNT);
const client = new Client({ intents: [GatewayIntentBits.Guilds] });

client.once(Events.ClientReady, () => {
  const look = setInterval(() => {
    if (!existsSync(process.env.START)) return;
    clearInterval(look);
    begin();
  }, 20);
});

function begin() {
  const channels = client.guilds.cache.map((guild) => [...guild.channels.cache.values()]).flat();
  const name = client.shard.ids.join('-');
  const outcomes = {};
  let started = 0;
  let ended = 0;
  const end = (id, outcome) => {
    outcomes[id] = outcome;
    if (++ended === count) console.log(`outcomes ${JSON.stringify(outcomes)}`);
  };
  const timer = setInterval(
    () => {
      const id = `${name}.${started}`;
      const channel = channels[started % channels.length];
      channel.send(`request ${id}`).then(
        () => end(id, 'ok'),
        (error) => end(id, error.name),
      );
      if (++started === count) clearInterval(timer);
    },
    1000 / Number(process.env.RATE),
  );
}

client.login(process.env.DISCORD_TOKEN);
