import { post } from './http';
import { clipped, type Notice } from './notice';
import type { Notifier } from './notifier';

export const PAGERDUTY_URL = 'https://events.pagerduty.com/v2/enqueue';
/** Limit of PagerDuty, characters. */
const MAX_SUMMARY = 1_024;
const TIMELINE = 20;

/** PagerDuty, Events API v2: one alert per incident, which is resolved with it. */
export function pagerDutyNotifier(name: string, routingKey: string, url = PAGERDUTY_URL): Notifier {
  return {
    name,
    most: 1,
    send: async (notices, signal) => {
      for (const notice of notices) await post(url, JSON.stringify(eventOf(notice, routingKey)), {}, signal);
    },
  };
}

function eventOf(notice: Notice, routingKey: string): object {
  const { kind, bot, incident, severity, title, text, at } = notice;
  const key = { routing_key: routingKey, dedup_key: `botctl/${bot}/${incident?.id ?? notice.key}` };
  if (kind === 'resolved') return { ...key, event_action: 'resolve' };
  return {
    ...key,
    event_action: 'trigger',
    client: 'botctl',
    payload: {
      summary: clipped(`${bot}: ${title}: ${text}`, MAX_SUMMARY),
      source: bot,
      severity,
      timestamp: new Date(at).toISOString(),
      ...(incident !== null && {
        component: incident.scope,
        class: incident.rule,
        custom_details: {
          incident: incident.id,
          text,
          affected: incident.affected.join(', '),
          timeline: incident.timeline
            .slice(-TIMELINE)
            .map((entry) => `${new Date(entry.at).toISOString()} ${entry.kind}: ${entry.text}`),
        },
      }),
    },
  };
}
