import type { Config } from '../../config';
import type { Target } from '../../incidents';
import { commandNotifier } from '../../incidents/notifiers/command';
import { discordNotifier } from '../../incidents/notifiers/discord';
import type { Notifier } from '../../incidents/notifiers/notifier';
import { pagerDutyNotifier } from '../../incidents/notifiers/pagerduty';
import { slackNotifier } from '../../incidents/notifiers/slack';
import { webhookNotifier } from '../../incidents/notifiers/webhook';

type TargetConfig = Config['incidents']['notify'][number];

/** Who is told, as the config says. `env` is what commands get. */
export function incidentTargets(config: Config, env: NodeJS.ProcessEnv): Target[] {
  const taken = new Set(config.incidents.notify.flatMap(({ name }) => name ?? []));
  return config.incidents.notify.flatMap((target) => {
    const notifier = notifierOf(target, config.bot.cwd, env, (kind) => target.name ?? freeName(kind, taken));
    return notifier === null ? [] : [{ notifier, least: target.severity }];
  });
}

function notifierOf(
  { discord, slack, pagerduty, webhook, command, secret, url }: TargetConfig,
  cwd: string,
  env: NodeJS.ProcessEnv,
  nameFor: (kind: string) => string,
): Notifier | null {
  if (discord !== undefined) return discordNotifier(nameFor('discord'), discord);
  if (slack !== undefined) return slackNotifier(nameFor('slack'), slack);
  if (pagerduty !== undefined) return pagerDutyNotifier(nameFor('pagerduty'), pagerduty, url);
  if (webhook !== undefined) return webhookNotifier(nameFor('webhook'), webhook, secret ?? null);
  if (command === undefined) return null;
  return commandNotifier({ name: nameFor('command'), argv: argvOf(command), cwd, env });
}

/** discord, discord-2, …: the same as long as the config is. */
function freeName(kind: string, taken: Set<string>): string {
  let name = kind;
  for (let number = 2; taken.has(name); number++) name = `${kind}-${number}`;
  taken.add(name);
  return name;
}

function argvOf(command: string | readonly string[]): [string, ...string[]] {
  if (typeof command === 'string') return ['/bin/sh', '-c', command];
  const [program = '', ...args] = command;
  return [program, ...args];
}
