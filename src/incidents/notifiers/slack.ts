import type { Severity } from '../types';
import { post } from './http';
import { clipped, type Notice } from './notice';
import type { Notifier } from './notifier';

const COLORS: Record<Severity, string> = { critical: '#d83c3e', warning: '#f0a020', info: '#4f7cff' };
const WELL = '#2e9e5b';
const MAX_TEXT = 2_500;
const MAX_ATTACHMENTS = 20;

/** An incoming webhook of Slack, or of what speaks its language (Mattermost, Rocket.Chat). */
export function slackNotifier(name: string, url: string): Notifier {
  return {
    name,
    most: MAX_ATTACHMENTS,
    send: (notices, signal) => post(url, JSON.stringify(messageOf(notices)), {}, signal),
  };
}

function messageOf(notices: readonly Notice[]): object {
  return {
    text: escape(clipped(notices.map(({ title }) => title).join('; '), MAX_TEXT)),
    attachments: notices.map((notice) => ({
      color: notice.kind === 'resolved' ? WELL : COLORS[notice.severity],
      title: escape(notice.title),
      text: escape(clipped(notice.text, MAX_TEXT)),
      footer: escape(
        notice.incident === null ? notice.bot : `${notice.bot} · ${notice.severity} · ${notice.incident.id}`,
      ),
      ts: Math.round(notice.at / 1_000),
    })),
  };
}

/** Slack's own three: with them, a text mentions nobody. */
function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
