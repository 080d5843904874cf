/**
 * The script of the status page: asks /status.json every two seconds and draws it. Everything from the answer goes in as
 * text nodes, never as HTML. Plain JavaScript of 2022, since it is sent as it stands.
 */
export const PAGE_SCRIPT = String.raw`
'use strict';
(() => {
  const POLL_MS = 2000;
  const DENSE_FROM = 65;
  const SHARD_TONES = { waiting: 'quiet', connecting: 'busy', queued: 'busy', identifying: 'busy', guilds: 'busy', resuming: 'busy', ready: 'good', stale: 'bad', disconnected: 'bad', dead: 'bad' };
  const CLUSTER_TONES = { waiting: 'quiet', booting: 'busy', starting: 'busy', ready: 'good', degraded: 'bad', hung: 'bad', backoff: 'bad', 'crash-loop': 'bad', fatal: 'bad', stopping: 'busy', stopped: 'quiet' };
  const SERVER_TONES = { up: 'good', down: 'bad', starting: 'busy', off: 'quiet' };
  const by = (id) => document.getElementById(id);
  const count = (n) => Math.round(n).toLocaleString('en-US');
  const plural = (n, noun) => count(n) + ' ' + noun + (n === 1 ? '' : 's');
  const orDash = (value, format) => (value === null || value === undefined ? '–' : format(value));

  const el = (tag, className, ...children) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children.filter((child) => child !== null));
    return node;
  };
  const put = (id, ...children) => by(id).replaceChildren(...children.filter((child) => child !== null));

  const duration = (ms) => {
    const units = [['d', 86400000], ['h', 3600000], ['min', 60000], ['s', 1000]];
    const at = units.findIndex(([, size]) => ms >= size);
    if (at === -1) return Math.max(0, Math.floor(ms)) + ' ms';
    const first = Math.floor(ms / units[at][1]) + ' ' + units[at][0];
    const next = units[at + 1];
    const rest = next ? Math.floor((ms % units[at][1]) / next[1]) : 0;
    return rest === 0 ? first : first + ' ' + rest + ' ' + next[0];
  };
  const bytes = (n) => {
    const mb = n / 1048576;
    return mb >= 1023.5 ? (mb / 1024).toFixed(1) + ' GB' : Math.round(mb) + ' MB';
  };
  const until = (at) => (at <= Date.now() ? 'now' : 'in ' + duration(at - Date.now()));
  const ranges = (numbers) => {
    const found = [];
    for (const n of [...numbers].sort((a, b) => a - b)) {
      const last = found[found.length - 1];
      if (last && last[1] === n - 1) last[1] = n;
      else found.push([n, n]);
    }
    return found.map(([a, b]) => (a === b ? String(a) : a + '–' + b)).join(', ');
  };

  const headline = (status) => {
    const words = { starting: ['busy', 'starting'], stopping: ['busy', 'stopping'], dead: ['quiet', 'not running'], deaf: ['bad', 'not answering'] };
    return words[status.supervisor.state] ?? (status.verdict === 'well' ? ['good', 'well'] : ['bad', 'degraded']);
  };

  const drawHead = (status) => {
    const [tone, word] = headline(status);
    const ready = status.shards.filter((shard) => shard.state === 'ready').length;
    const total = status.bot.totalShards ?? status.shards.length;
    const guilds = status.clusters.reduce((sum, cluster) => sum + cluster.guilds, 0);
    document.title = (tone === 'good' ? '' : '▲ ') + status.bot.name + ' is ' + word;
    put('name', status.bot.name);
    const pill = by('verdict');
    pill.className = 'pill ' + tone;
    if (pill.textContent !== word) pill.textContent = word;
    put('lead',
      count(ready) + ' of ' + plural(total, 'shard') + ' ready in ' + plural(status.clusters.length, 'cluster') + ', ' + plural(guilds, 'guild') +
      (status.supervisor.uptimeSeconds === null ? '' : ', up ' + duration(status.supervisor.uptimeSeconds * 1000)) +
      (status.supervisor.sandbox ? ' (sandbox)' : ''));
    const problems = by('problems');
    problems.hidden = status.problems.length === 0;
    const text = status.problems.join('\n');
    if (problems.dataset.text !== text) {
      problems.dataset.text = text;
      put('problem-list', ...status.problems.slice(0, 20).map((problem) => el('li', '', problem)));
    }
  };

  let selected = 0;
  const tiles = new Map();

  const describe = (shard) => {
    const parts = ['Shard ' + shard.id + ': ' + shard.state, 'cluster ' + shard.cluster, plural(shard.guilds, 'guild')];
    if (shard.pingMs !== null) parts.push('ping ' + Math.round(shard.pingMs) + ' ms');
    if (shard.lastAckAgeMs !== null) parts.push('last ack ' + duration(shard.lastAckAgeMs) + ' ago');
    if (shard.lastEventAgeMs !== null) parts.push('last event ' + duration(shard.lastEventAgeMs) + ' ago');
    parts.push(plural(shard.resumes, 'resume'), count(shard.identifies) + (shard.identifies === 1 ? ' identify' : ' identifies'));
    if (shard.lastCloseCode !== null) parts.push('last close code ' + shard.lastCloseCode);
    return parts.join(', ');
  };

  const makeTile = (id) => {
    const button = el('button', 'tile', el('b'), el('span'));
    button.type = 'button';
    button.tabIndex = -1;
    button.addEventListener('focus', () => select(id, true));
    button.addEventListener('mouseenter', () => select(id, false));
    const item = el('li', '', button);
    tiles.set(id, { item, button });
    return item;
  };

  let shards = [];
  const select = (id, move) => {
    const shard = shards.find((one) => one.id === id);
    if (!shard) return;
    put('detail', describe(shard));
    if (!move) return;
    const before = tiles.get(selected);
    if (before) before.button.tabIndex = -1;
    selected = id;
    tiles.get(id).button.tabIndex = 0;
  };

  const drawShards = (status) => {
    shards = status.shards;
    const grid = by('grid');
    grid.classList.toggle('dense', shards.length >= DENSE_FROM);
    const known = new Set(shards.map((shard) => shard.id));
    for (const [id, tile] of tiles) {
      if (known.has(id)) continue;
      tile.item.remove();
      tiles.delete(id);
    }
    for (const shard of shards) {
      if (!tiles.has(shard.id)) grid.append(makeTile(shard.id));
      const { button } = tiles.get(shard.id);
      const key = shard.state;
      if (button.dataset.state !== key) {
        button.dataset.state = key;
        button.className = 'tile ' + (SHARD_TONES[shard.state] ?? 'quiet');
        button.children[0].textContent = shard.id;
        button.children[1].textContent = shard.state;
        button.setAttribute('aria-label', 'Shard ' + shard.id + ', ' + shard.state);
      }
    }
    if (!tiles.has(selected) && shards.length > 0) selected = shards[0].id;
    const current = tiles.get(selected);
    if (current) current.button.tabIndex = 0;
    const counts = new Map();
    for (const shard of shards) counts.set(shard.state, (counts.get(shard.state) ?? 0) + 1);
    put('legend', ...[...counts].sort((a, b) => b[1] - a[1]).map(([state, n]) => el('li', 'state ' + (SHARD_TONES[state] ?? 'quiet'), count(n) + ' ' + state)));
  };

  by('grid').addEventListener('keydown', (event) => {
    const order = shards.map((shard) => shard.id);
    const at = order.indexOf(selected);
    const perRow = getComputedStyle(by('grid')).gridTemplateColumns.split(' ').length;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow, ArrowUp: -perRow, Home: -at, End: order.length - 1 - at };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = order[Math.min(order.length - 1, Math.max(0, at + step))];
    tiles.get(next).button.focus();
  });

  const drawClusters = (status) => {
    const ready = new Map();
    for (const shard of status.shards) if (shard.state === 'ready') ready.set(shard.cluster, (ready.get(shard.cluster) ?? 0) + 1);
    const rows = [];
    for (const cluster of status.clusters) {
      const tone = CLUSTER_TONES[cluster.state] ?? 'quiet';
      const head = el('th', '', String(cluster.id));
      head.scope = 'row';
      rows.push(el('tr', '',
        el('td', '', String(cluster.id)),
        el('td', 'text', el('span', 'state ' + tone, cluster.state)),
        el('td', 'text wide', ranges(cluster.shards)),
        el('td', '', (ready.get(cluster.id) ?? 0) + ' / ' + cluster.shards.length),
        el('td', 'wide', count(cluster.guilds)),
        el('td', '', orDash(cluster.rssBytes, bytes)),
        el('td', 'wide', orDash(cluster.cpuPercent, (n) => Math.round(n) + ' %')),
        el('td', 'wide', orDash(cluster.loopDelayP99Ms, (n) => Math.round(n) + ' ms')),
        el('td', '', orDash(cluster.uptimeSeconds, (n) => duration(n * 1000))),
        el('td', '', count(cluster.restarts)),
      ));
      const notes = [...cluster.notices];
      if (cluster.state !== 'ready') {
        if (cluster.message !== null) notes.unshift(cluster.message);
        if (cluster.lastExit !== null) notes.push('last exit: ' + cluster.lastExit);
        if (cluster.retryAt !== null) notes.push('next attempt ' + until(cluster.retryAt));
      }
      if (notes.length > 0) {
        const cell = el('td', tone === 'good' ? 'muted' : tone, notes.join('; '));
        cell.colSpan = 10;
        rows.push(el('tr', 'note', cell));
      }
    }
    put('clusters', ...rows);
  };

  const card = (title, figure, ...lines) => el('section', 'card', el('h2', '', title), el('p', 'figure', figure), ...lines.map((line) => (typeof line === 'string' ? el('p', 'small', line) : line)));

  const budget = (identify) => {
    if (identify.total === null || identify.remaining === null) return card('Identify budget', '–', 'not known yet');
    const low = identify.reserve !== null && identify.remaining <= identify.reserve;
    const bar = el('div', low ? 'bar low' : 'bar', el('i'));
    bar.firstChild.style.width = (100 * identify.remaining) / Math.max(1, identify.total) + '%';
    bar.setAttribute('aria-hidden', 'true');
    const parts = [];
    if (identify.resetAt !== null) parts.push('reset ' + until(identify.resetAt));
    if (identify.reserve !== null) parts.push(count(identify.reserve) + ' kept back');
    if (identify.maxConcurrency !== null) parts.push(count(identify.maxConcurrency) + ' at a time');
    if (identify.queued > 0) parts.push(count(identify.queued) + ' waiting');
    return card('Identify budget', count(identify.remaining) + ' of ' + count(identify.total) + ' left', bar, parts.join(', '), identify.blocked === null ? null : el('p', 'small bad', 'held: ' + identify.blocked));
  };

  const server = (title, one, extra) => card(title, el('span', 'state ' + (SERVER_TONES[one.state] ?? 'quiet'), one.state),
    one.kind === 'off' ? null : [one.kind + (one.version === null ? '' : ' ' + one.version), one.address, extra].filter(Boolean).join(', '),
    one.message === null ? null : one.message);

  const gateway = (gate) => {
    const words = { passing: ['good', 'open'], 'backing-off': ['bad', 'backing off'], probing: ['busy', 'probing'] };
    const [tone, word] = words[gate.gate] ?? ['quiet', gate.gate];
    return card('Gateway', el('span', 'state ' + tone, word), gate.reason ?? 'connections pass', gate.retryAt === null ? null : 'next attempt ' + until(gate.retryAt));
  };

  const drawFacts = (status) => {
    const { supervisor } = status;
    put('facts', budget(status.identify), gateway(status.gateway), server('Postgres', status.postgres, status.postgres.shards > 0 ? plural(status.postgres.shards, 'database shard') : ''), server('Redis', status.redis, ''));
    put('supervisor', ['supervisor ' + supervisor.state, supervisor.pid === null ? null : 'pid ' + supervisor.pid, supervisor.rssBytes === null ? null : bytes(supervisor.rssBytes), supervisor.version === null ? null : 'botctl ' + supervisor.version].filter(Boolean).join(', '));
  };

  let seenAt = null;
  const tick = async () => {
    try {
      const response = await fetch('/status.json', { cache: 'no-store', signal: AbortSignal.timeout(5000) });
      if (!response.ok) throw new Error(String(response.status));
      const status = await response.json();
      seenAt = Date.now();
      by('lost').hidden = true;
      by('page').hidden = false;
      drawHead(status);
      drawShards(status);
      drawClusters(status);
      drawFacts(status);
      put('updated', 'updated ' + new Date(seenAt).toLocaleTimeString());
    } catch {
      by('lost').hidden = false;
      put('lost', seenAt === null ? 'The supervisor does not answer.' : 'The supervisor has not answered for ' + duration(Date.now() - seenAt) + '. Below is what it said last.');
    }
    setTimeout(tick, document.hidden ? POLL_MS * 5 : POLL_MS);
  };
  document.addEventListener('visibilitychange', () => undefined);
  tick();
})();
`;
