import type {
  ClusterState,
  ClusterStatus,
  HandoffStep,
  ShardState,
  Status,
  StatusAction,
} from '../../control/contract';

type Seen = Omit<Status, 'actions'>;

/** Clusters named one by one; more are counted. */
const MAX_NAMED = 3;

const CLUSTER_VERBS: Partial<Record<ClusterState, [one: string, many: string]>> = {
  hung: ['is killed and replaced', 'are killed and replaced'],
  booting: ['is starting', 'are starting'],
  starting: ['is starting', 'are starting'],
  stopping: ['is stopping', 'are stopping'],
};

const HANDOFF_WORDS: Record<HandoffStep, string> = {
  booting: 'it boots',
  copying: 'the caches go over',
  connecting: 'it connects',
  cutting: 'the sessions go over',
  resuming: 'it resumes the sessions',
  draining: 'the old one finishes its work',
  stopping: 'the old one stops',
  starting: 'it starts',
};

const SHARD_VERBS: Partial<Record<ShardState, [one: string, many: string]>> = {
  resuming: ['resumes its session', 'resume their sessions'],
  connecting: ['connects', 'connect'],
  identifying: ['identifies', 'identify'],
  guilds: ['receives its guilds', 'receive their guilds'],
};

/** What is being done about what is wrong, most important first. `fatal`: why all clusters are held. Pure. */
export function findActions(status: Seen, fatal: string | null): StatusAction[] {
  if (fatal !== null) return [now('Nothing is tried again until the cause is put right; then: botctl restart')];
  return [
    ...outageActions(status),
    ...gatewayActions(status),
    ...clusterActions(status.clusters),
    ...shardActions(status),
    ...serverActions(status),
    ...dataActions(status),
  ];
}

function outageActions({ outage }: Seen): StatusAction[] {
  if (outage === null) return [];
  return [
    now('Outage mode: nothing is restarted or identified until Discord is back, or: botctl recover --end-outage'),
  ];
}

function gatewayActions({ gateway }: Seen): StatusAction[] {
  switch (gateway.gate) {
    case 'passing':
      return [];
    case 'backing-off':
      return [{ text: 'All shards wait together; one connection tries the gateway again', at: gateway.retryAt }];
    case 'probing':
      return [now('One connection tries the gateway; the others follow when it stands')];
  }
}

function clusterActions(clusters: readonly ClusterStatus[]): StatusAction[] {
  const due = clusters.filter(({ retryAt }) => retryAt !== null);
  const actions: StatusAction[] = [];
  if (due.length > MAX_NAMED) {
    const first = due.reduce((least, { retryAt }) => Math.min(least, retryAt ?? Infinity), Infinity);
    actions.push({ text: `${due.length} clusters start again, the first of them`, at: first });
  } else actions.push(...due.map(({ id, retryAt }) => ({ text: `Cluster ${id} starts again`, at: retryAt })));
  return [...actions, ...clusters.flatMap(handoffActions), ...verbs('cluster', CLUSTER_VERBS, clusters)];
}

function handoffActions({ id, handoff }: ClusterStatus): StatusAction[] {
  if (handoff === null) return [];
  return [now(`Cluster ${id} is replaced by a fresh process: ${HANDOFF_WORDS[handoff]}`)];
}

function shardActions({ shards, identify, gateway }: Seen): StatusAction[] {
  const actions = gateway.gate === 'passing' ? verbs('shard', SHARD_VERBS, shards) : [];
  if (identify.queued === 0) return actions;
  const wait = `${plural(identify.queued, 'shard waits', 'shards wait')} for leave to identify`;
  if (identify.blocked === null) return [...actions, now(wait)];
  const exhausted = identify.remaining !== null && identify.remaining <= (identify.reserve ?? 0);
  return [...actions, { text: `${wait}; more is allowed`, at: exhausted ? identify.resetAt : null }];
}

function serverActions({ postgres, redis }: Seen): StatusAction[] {
  return [
    { name: 'Postgres', server: postgres },
    { name: 'Redis', server: redis },
  ].flatMap(({ name, server: { state, kind } }) => {
    if (state !== 'down') return [];
    return [now(kind === 'embedded' ? `${name} is started again` : `${name} is tried again every few seconds`)];
  });
}

function dataActions({ data }: Seen): StatusAction[] {
  const actions: StatusAction[] = [];
  const pending = data?.deferred?.pending ?? 0;
  if (pending > 0) {
    actions.push(now(`${plural(pending, 'write waits', 'writes wait')} on disk, to be done in order and once`));
  }
  const move = data?.move ?? null;
  if (move !== null) {
    actions.push(now(`${move.unit} moves from database shard ${move.from} to ${move.to}: ${move.phase}`));
  }
  return actions;
}

/** One sentence for all that do the same. */
function verbs<State extends string>(
  noun: string,
  words: Partial<Record<State, [one: string, many: string]>>,
  items: readonly { id: number; state: State }[],
): StatusAction[] {
  const doing = new Map<string, { ids: number[]; many: string }>();
  for (const { id, state } of items) {
    const found = words[state];
    if (found === undefined) continue;
    const [one, many] = found;
    const group = doing.get(one);
    if (group === undefined) doing.set(one, { ids: [id], many });
    else group.ids.push(id);
  }
  return [...doing].map(([one, { ids, many }]) => {
    if (ids.length === 1) return now(`${capital(noun)} ${ids[0] ?? ''} ${one}`);
    const named = ids.length <= MAX_NAMED ? `${capital(noun)}s ${ids.join(', ')}` : `${ids.length} ${noun}s`;
    return now(`${named} ${many}`);
  });
}

function now(text: string): StatusAction {
  return { text, at: null };
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
