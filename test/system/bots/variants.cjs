// Bots that are built differently; VARIANT says how.
const { Client, Events, GatewayIntentBits } = require('discord.js');

const intents = [GatewayIntentBits.Guilds];
const answer = (client) => client.on(Events.InteractionCreate, (interaction) => interaction.reply('pong'));

switch (process.env.VARIANT) {
  case 'several-clients': {
    for (const name of ['first', 'second']) {
      const client = new Client({ intents });
      client.once(Events.ClientReady, () => console.log(`${name} is ready`));
      client.login(process.env.DISCORD_TOKEN);
    }
    break;
  }
  case 'own-shards': {
    const client = answer(new Client({ intents, shards: [0], shardCount: 1 }));
    client.login(process.env.DISCORD_TOKEN);
    break;
  }
  case 'own-api': {
    // As a bundle would have it: the agent cannot reach this copy's defaults.
    const client = answer(new Client({ intents, rest: { api: process.env.OWN_API } }));
    client.login(process.env.DISCORD_TOKEN);
    break;
  }
  case 'sdk': {
    const { cluster, onStop } = require('../../../dist/src/sdk');
    const client = answer(new Client({ intents }));
    onStop(async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      console.log(
        `onStop of cluster ${cluster.id} with shards ${cluster.shardIds}, REST still has a token: ${client.token !== null}`,
      );
    });
    onStop(() => {
      throw new Error('a handler that fails');
    });
    client.login(process.env.DISCORD_TOKEN);
    break;
  }
  case 'children': {
    // A bot that starts processes and threads of its own: they are no clusters.
    const { fork } = require('node:child_process');
    const { Worker } = require('node:worker_threads');
    const code = "console.log('child sees ' + [process.env.BOTCTL_BOOT, process.execArgv.join()].join('|'))";
    fork('-e', [code], { execArgv: [...process.execArgv, '-e', code] });
    new Worker("console.log('worker runs')", { eval: true });
    const client = answer(new Client({ intents }));
    client.login(process.env.DISCORD_TOKEN);
    break;
  }
}
