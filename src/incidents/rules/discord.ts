import type { Finding, Rule } from '../rule';
import type { DetectSettings } from '../settings';
import type { BotFacts, Window } from '../window';

/** Of so many shards, nearly all without a connection tell of Discord, not of the shards. */
const MIN_SHARDS = 4;
const MOST = 0.5;
/** Connections that broke within this time broke together, ms. */
const TOGETHER_MS = 60_000;

/** The gateway refuses all shards, or most lost their connection at once and are not back. */
export function discordOutage({ for: forMs, clear: clearMs }: DetectSettings['discordOutage']): Rule {
  return {
    type: 'discord-outage',
    forMs,
    clearMs,
    windowMs: TOGETHER_MS,
    find: ({ bot, checks, occurrences, now }) => {
      if (bot === null) return [];
      if (bot.gate.gate !== 'passing') {
        return [finding(`the gateway refuses connections: ${bot.gate.reason ?? 'no reason given'}`)];
      }
      const lost = lostTogether(bot, occurrences, now);
      if (lost !== null) return [finding(lost)];
      const check = checks.find((one) => one.check === 'discord' && one.failing);
      return check === undefined || bot.fatal !== null ? [] : [finding(check.message)];
    },
  };
}

function finding(text: string): Finding {
  return {
    scope: 'bot',
    severity: 'critical',
    text,
    evidence: [{ metric: 'shard_ready' }, { metric: 'gateway_passing' }],
  };
}

function lostTogether({ shards }: BotFacts, occurrences: Window['occurrences'], now: number): string | null {
  if (shards.length < MIN_SHARDS) return null;
  const away = new Set(shards.filter(({ state }) => state !== 'ready').map(({ id }) => id));
  const broken = new Set<number>();
  for (const one of occurrences) {
    if (one.kind === 'disconnect' && now - one.at <= TOGETHER_MS && away.has(one.shard)) broken.add(one.shard);
  }
  if (broken.size <= shards.length * MOST) return null;
  return `${broken.size} of ${shards.length} shards lost their connection within a minute`;
}

/** Discord has taken guilds away while their shards are connected. */
export function guildDrop({ share, minGuilds, for: forMs, clear: clearMs }: DetectSettings['guildDrop']): Rule {
  return {
    type: 'guild-drop',
    forMs,
    clearMs,
    windowMs: 0,
    find: ({ bot }, isOpen) => {
      const ready = (bot?.shards ?? []).filter(({ state }) => state === 'ready');
      const all = ready.reduce((sum, { guilds }) => sum + guilds, 0);
      const gone = ready.reduce((sum, { unavailableGuilds }) => sum + unavailableGuilds, 0);
      const least = Math.max(minGuilds, all * share) * (isOpen('bot') ? 0.5 : 1);
      if (all === 0 || gone < least) return [];
      const part = Math.round((100 * gone) / all);
      return [
        {
          scope: 'bot',
          severity: part >= 50 ? 'critical' : 'warning',
          text: `${gone} of ${all} guilds (${part} %) are unavailable although their shards are connected: an outage in a part of Discord`,
          evidence: [{ metric: 'shard_unavailable_guilds' }],
        },
      ];
    },
  };
}
