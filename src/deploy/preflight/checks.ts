/** What is known before a rollout begins. */
export interface PreflightFacts {
  /** Why the release is not whole, or null. */
  damage: string | null;
  /** Clusters that are not ready, each as a sentence. */
  unready: readonly string[];
  openIncidents: readonly string[];
  /** Resident memory of the largest clusters that are replaced at the same time, bytes. */
  surgeBytes: number;
  /** null: not known. */
  memoryFreeBytes: number | null;
  diskFreeBytes: number | null;
  /** null: not known. */
  identifiesLeft: number | null;
  shards: number;
}

export interface CheckResult {
  name: 'release' | 'clusters' | 'incidents' | 'memory' | 'disk' | 'identifies' | 'boot';
  ok: boolean;
  /** One line. */
  text: string;
  /** `--force` goes on in spite of it. */
  canForce: boolean;
}

/** A successor is about as large as its predecessor; what it takes more while it boots. */
const SURGE_FACTOR = 1.2;
/** Sessions and caches that a restart saves, and what is logged meanwhile, bytes. */
const DISK_NEEDED = 200 * 1024 * 1024;

/** What keeps a rollout from beginning. Pure. */
export function checkFacts(facts: PreflightFacts): CheckResult[] {
  return [
    checkRelease(facts),
    checkClusters(facts),
    checkIncidents(facts),
    ...checkRoom(facts),
    checkIdentifies(facts),
  ];
}

function checkRelease({ damage }: PreflightFacts): CheckResult {
  return { name: 'release', ok: damage === null, text: damage ?? 'the release is whole', canForce: false };
}

function checkClusters({ unready }: PreflightFacts): CheckResult {
  const [first] = unready;
  const more = unready.length > 1 ? `, and ${unready.length - 1} more` : '';
  const text = first === undefined ? 'all clusters are ready' : `${first}${more}: old and new could not be compared`;
  return { name: 'clusters', ok: first === undefined, text, canForce: true };
}

function checkIncidents({ openIncidents }: PreflightFacts): CheckResult {
  const count = openIncidents.length;
  const text =
    count === 0 ? 'no incident is open' : `${plural(count, 'incident')} open: ${openIncidents.slice(0, 3).join('; ')}`;
  return { name: 'incidents', ok: count === 0, text, canForce: true };
}

function checkRoom({ surgeBytes, memoryFreeBytes, diskFreeBytes }: PreflightFacts): CheckResult[] {
  const needed = surgeBytes * SURGE_FACTOR;
  const memory = memoryFreeBytes === null || memoryFreeBytes >= needed;
  const disk = diskFreeBytes === null || diskFreeBytes >= DISK_NEEDED;
  return [
    {
      name: 'memory',
      ok: memory,
      text: memory
        ? 'there is memory for old and new side by side'
        : `${mb(needed)} of memory are needed for old and new side by side, ${mb(memoryFreeBytes)} are free; a smaller deploy.batch needs less`,
      canForce: true,
    },
    {
      name: 'disk',
      ok: disk,
      text: disk
        ? 'there is space on the disk'
        : `${mb(DISK_NEEDED)} of disk are needed, ${mb(diskFreeBytes)} are free`,
      canForce: true,
    },
  ];
}

function checkIdentifies({ identifiesLeft, shards }: PreflightFacts): CheckResult {
  const ok = identifiesLeft === null || identifiesLeft >= shards;
  const text = ok
    ? 'the identify budget would do if no session could be resumed'
    : `if no session could be resumed, ${shards} identifies would be needed, and ${identifiesLeft} are left today`;
  return { name: 'identifies', ok, text, canForce: true };
}

function mb(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MB`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? ' is' : 's are'}`;
}
