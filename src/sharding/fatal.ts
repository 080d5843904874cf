/** Close codes after which a restart cannot help (Discord's documentation, "Gateway Close Event Codes"). */
const SENTENCES: ReadonlyMap<number, string> = new Map([
  [
    4004,
    'Discord refused the token (close code 4004). Set a valid bot token in bot.token (or DISCORD_TOKEN), then start again.',
  ],
  [
    4010,
    'Discord refused the shard (close code 4010): sharding.totalShards does not fit this bot. Set it to "auto", or for a ' +
      'very large bot to a multiple of the number that Discord assigned.',
  ],
  [
    4011,
    'Discord requires more shards (close code 4011): a shard would hold more than 2,500 guilds. Set sharding.totalShards ' +
      'to "auto" or higher.',
  ],
  [4012, 'Discord no longer accepts the gateway version of this bot (close code 4012). Update discord.js in the bot.'],
  [4013, 'Discord refused the intents as invalid (close code 4013). Correct `intents` where the bot makes its Client.'],
  [
    4014,
    'Discord refused a privileged intent (close code 4014). Enable it for this application in the Developer Portal ' +
      '(Bot, Privileged Gateway Intents) or remove it from `intents` in the bot, then run `botctl restart`.',
  ],
]);

/** One sentence that says what to change, or null when the code is no reason to stop trying. */
export function fatalSentence(closeCode: number): string | null {
  return SENTENCES.get(closeCode) ?? null;
}
