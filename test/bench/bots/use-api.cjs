// Points discord.js at the REST base URL in TEST_DISCORD_API, for peers that run without botctl.
require('@discordjs/rest').DefaultRestOptions.api = process.env.TEST_DISCORD_API;
