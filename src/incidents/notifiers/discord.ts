import type { Severity } from '../types';
import { post } from './http';
import { clipped, type Notice } from './notice';
import type { Notifier } from './notifier';

const COLORS: Record<Severity, number> = { critical: 0xd83c3e, warning: 0xf0a020, info: 0x4f7cff };
const WELL = 0x2e9e5b;
/** Limits of Discord: characters of a title and of a description; of all of a message 6,000. */
const MAX_TITLE = 256;
const MAX_TEXT = 450;
const MAX_EMBEDS = 8;

/** A webhook of a Discord channel. */
export function discordNotifier(name: string, url: string): Notifier {
  return {
    name,
    most: MAX_EMBEDS,
    send: (notices, signal) => post(url, JSON.stringify(messageOf(notices)), {}, signal),
  };
}

function messageOf(notices: readonly Notice[]): object {
  return {
    username: 'botctl',
    // Texts of errors mention whom they like.
    allowed_mentions: { parse: [] },
    embeds: notices.map((notice) => ({
      title: clipped(notice.title, MAX_TITLE),
      description: clipped(notice.text, MAX_TEXT),
      color: notice.kind === 'resolved' ? WELL : COLORS[notice.severity],
      timestamp: new Date(notice.at).toISOString(),
      footer: { text: footer(notice) },
    })),
  };
}

function footer({ bot, incident, severity }: Notice): string {
  return clipped(incident === null ? bot : `${bot} · ${severity} · ${incident.id}`, MAX_TITLE);
}
