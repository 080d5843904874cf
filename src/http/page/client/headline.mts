import type { Status, StatusAction } from '../../../control/contract.js';
import { byId, el, put, redraw, say } from './dom.mjs';
import { count, duration, plural, until } from './format.mjs';
import { headlineOf } from './tones.mjs';

const MAX_SHOWN = 12;

/** Is my bot well? What is wrong? What is being done about it? */
export function drawHeadline(status: Status): void {
  const [tone, word] = headlineOf(status);
  document.title = `${tone === 'good' ? '' : '▲ '}${status.bot.name} is ${word}`;
  say(byId('name'), status.bot.name);
  const pill = byId('verdict');
  pill.className = `pill ${tone}`;
  say(pill, word);
  say(byId('lead'), lead(status));
  drawProblems(status.problems);
  drawActions(status.actions);
}

function lead({ bot, shards, clusters, supervisor }: Status): string {
  const ready = shards.filter(({ state }) => state === 'ready').length;
  const guilds = clusters.reduce((sum, cluster) => sum + cluster.guilds, 0);
  const parts = [
    `${count(ready)} of ${plural(bot.totalShards ?? shards.length, 'shard')} ready in ${plural(clusters.length, 'cluster')}`,
    plural(guilds, 'guild'),
  ];
  if (supervisor.uptimeSeconds !== null) parts.push(`up ${duration(supervisor.uptimeSeconds * 1_000)}`);
  return parts.join(', ') + (supervisor.sandbox ? ' (sandbox)' : '');
}

function drawProblems(problems: readonly string[]): void {
  const card = byId('problems');
  card.hidden = problems.length === 0;
  redraw(byId('problem-list'), problems.join('\n'), () => {
    const more = problems.length - MAX_SHOWN;
    return [
      ...problems.slice(0, MAX_SHOWN).map((problem) => el('li', '', problem)),
      more > 0 ? el('li', 'small', `and ${count(more)} more in status.json`) : null,
    ];
  });
}

function drawActions(actions: readonly StatusAction[]): void {
  byId('actions').hidden = actions.length === 0;
  const list = byId('action-list');
  redraw(list, actions.map(({ text }) => text).join('\n'), () =>
    actions.slice(0, MAX_SHOWN).map(({ text }) => el('li', '', el('span', '', text), el('span', 'due'))),
  );
  // The time that is left changes with every look; screen readers need not hear it again.
  for (const [index, { at }] of actions.slice(0, MAX_SHOWN).entries()) {
    const due = list.children[index]?.lastElementChild;
    if (due !== null && due !== undefined) say(due, at === null ? '' : ` ${until(at)}`);
  }
}

/** What is known of the connection to the supervisor itself. */
export function drawFooter({ supervisor }: Status): void {
  const parts = [`supervisor ${supervisor.state}`];
  if (supervisor.pid !== null) parts.push(`pid ${supervisor.pid}`);
  if (supervisor.rssBytes !== null) parts.push(`${Math.round(supervisor.rssBytes / 1024 ** 2)} MB`);
  if (supervisor.version !== null) parts.push(`botctl ${supervisor.version}`);
  put(byId('supervisor'), parts.join(', '));
}
