import ms from 'ms';
import type { Finding, Rule } from '../rule';
import type { DetectSettings } from '../settings';

/** It says that it is connected, but hears nothing, or it does not come back. */
export function shardStuck({ for: forMs, clear: clearMs }: DetectSettings['shardStuck']): Rule {
  return {
    type: 'shard-stuck',
    forMs,
    clearMs,
    windowMs: 0,
    find: ({ checks }) =>
      checks
        .filter(({ check, failing }) => check === 'shards' && failing)
        .map(({ scope, message }) => ({
          scope,
          severity: 'warning',
          text: message,
          evidence: [{ metric: 'shard_events_total' }, { metric: 'shard_ready' }],
        })),
  };
}

/** Connections break again and again: of one shard, or of many. */
export function shardDisconnects(settings: DetectSettings['shardDisconnects']): Rule {
  const { count, share, window: windowMs, for: forMs, clear: clearMs } = settings;
  return {
    type: 'shard-disconnects',
    forMs,
    clearMs,
    windowMs,
    find: ({ bot, occurrences, now }) => {
      if (bot === null) return [];
      const times = new Map<number, number>();
      for (const one of occurrences) {
        if (one.kind === 'disconnect' && now - one.at <= windowMs)
          times.set(one.shard, (times.get(one.shard) ?? 0) + 1);
      }
      const all = [...times.values()].reduce((sum, one) => sum + one, 0);
      const unstable = [...times].filter(([, one]) => one >= count);
      const evidence = [{ metric: 'shard_disconnects_total' }];
      // A large bot always loses some; that is not many.
      const many = Math.max(count, Math.ceil(bot.shards.length * share));
      if (times.size > 1 && all >= many) {
        const text = `${all} disconnects of ${times.size} shards in ${ms(windowMs)}`;
        const finding = { severity: 'warning', text, evidence } as const;
        return [
          { scope: 'bot', ...finding },
          ...[...times.keys()].map((id): Finding => ({ scope: `shard:${id}`, ...finding })),
        ];
      }
      return unstable.map(([id, one]): Finding => {
        return { scope: `shard:${id}`, severity: 'warning', text: `${one} disconnects in ${ms(windowMs)}`, evidence };
      });
    },
  };
}
