import type { Clock } from '../clock';

/** A cluster as the broadcaster sees it. */
export interface BroadcastMember {
  readonly id: number;
  readonly shardIds: readonly number[];
  /** Why it cannot be asked now ("is not up yet"), or null when it can. */
  readonly unavailable: string | null;
  /** Hands one message to the bot's process. */
  deliver(message: unknown): void;
  /** Hands the answer to a question to the process that asked, which may have been succeeded meanwhile. */
  reply(message: unknown): void;
}

export interface BroadcastOptions {
  members: () => readonly BroadcastMember[];
  clock: Clock;
  /** A cluster that has not answered after this time is named in the error, ms. */
  timeoutMs: number;
  /** `client.shard.respawnAll()`; durations in ms. */
  respawnAll: (options: { shardDelay: number; respawnDelay: number; timeout: number }) => void;
}

interface PlainError {
  name: string;
  message: string;
  stack: string;
}

interface Pending {
  member: number;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

type Request = { kind: 'eval'; script: string } | { kind: 'fetch'; prop: string };

/**
 * The supervisor's side of discord.js's sharding dialect (`_sEval`, `_sFetchProp`, `_sRespawnAll`; see ShardClientUtil
 * and Shard in discord.js). Every call settles: with all results, or with an error that names the clusters which are
 * missing.
 */
export class Broadcaster {
  #pending = new Map<string, Pending[]>();
  /** Scripts whose answer from a member is overdue, by member: it may still come. */
  #overdue = new Map<number, Set<string>>();
  #nextId = 1;

  constructor(private readonly options: BroadcastOptions) {}

  /** A message of a bot. True when it belonged to the dialect and is dealt with. */
  onMessage(from: BroadcastMember, message: unknown): boolean {
    if (typeof message !== 'object' || message === null) return false;
    const m = message as Record<string, unknown>;
    if (typeof m['_sEval'] === 'string') {
      this.#serve(from, { _sEval: m['_sEval'], _sEvalShard: m['_sEvalShard'] }, m['_sEvalShard'], {
        kind: 'eval',
        script: m['_sEval'],
      });
      return true;
    }
    if (typeof m['_sFetchProp'] === 'string') {
      this.#serve(
        from,
        { _sFetchProp: m['_sFetchProp'], _sFetchPropShard: m['_sFetchPropShard'] },
        m['_sFetchPropShard'],
        {
          kind: 'fetch',
          prop: m['_sFetchProp'],
        },
      );
      return true;
    }
    if (typeof m['_sRespawnAll'] === 'object' && m['_sRespawnAll'] !== null) {
      this.options.respawnAll(m['_sRespawnAll'] as { shardDelay: number; respawnDelay: number; timeout: number });
      return true;
    }
    if (typeof m['_eval'] === 'string') return this.#settle(from.id, m['_eval'], m);
    if (typeof m['_fetchProp'] === 'string') return this.#settle(from.id, fetchKey(m['_fetchProp']), m);
    return false;
  }

  /** The member's process is gone: whatever it was asked is answered with an error. */
  onMemberGone(id: number, reason: string): void {
    this.#overdue.delete(id);
    for (const [key, list] of [...this.#pending]) {
      for (const entry of list.filter((pending) => pending.member === id)) {
        this.#remove(key, entry);
        entry.reject(new ShardingError(`cluster ${id} ${reason}`));
      }
    }
  }

  #serve(from: BroadcastMember, reply: object, shard: unknown, request: Request): void {
    this.#perform(request, typeof shard === 'number' ? shard : undefined).then(
      (result) => from.reply({ ...reply, _result: result }),
      (error: unknown) => from.reply({ ...reply, _error: toPlain(error) }),
    );
  }

  async #perform(request: Request, shard: number | undefined): Promise<unknown> {
    const members = this.options.members();
    if (shard !== undefined) {
      const member = members.find(({ shardIds }) => shardIds.includes(shard));
      if (member === undefined) throw new ShardNotFoundError(shard);
      return this.#ask(member, request);
    }
    const missing = members.filter((member) => member.unavailable !== null);
    if (missing.length > 0) {
      throw new ShardingError(missing.map((member) => `cluster ${member.id} ${member.unavailable ?? ''}`).join(', '));
    }
    const answers = await Promise.allSettled(members.map((member) => this.#ask(member, request)));
    const failures = answers.filter((answer) => answer.status === 'rejected').map(({ reason }) => reason as Error);
    const [first] = failures;
    if (first === undefined) return answers.map((answer) => (answer as PromiseFulfilledResult<unknown>).value);
    // An error of the script itself is passed on as it is; missing clusters are named together.
    if (first instanceof RemoteError) throw first;
    throw new ShardingError(failures.map(({ message }) => message).join(' '));
  }

  async #ask(member: BroadcastMember, request: Request): Promise<unknown> {
    if (member.unavailable !== null) throw new ShardingError(`cluster ${member.id} ${member.unavailable}`);
    const timeoutMs = this.options.timeoutMs;
    const script = request.kind === 'eval' ? this.#distinct(request.script, member.id) : null;
    const key = script ?? fetchKey(request.kind === 'fetch' ? request.prop : '');
    return new Promise((resolve, reject) => {
      const cancel = this.options.clock.after(timeoutMs, () => {
        this.#remove(key, entry);
        this.#overdue.set(member.id, (this.#overdue.get(member.id) ?? new Set()).add(key));
        entry.reject(new ShardingError(`cluster ${member.id} did not answer within ${timeoutMs / 1_000} s`));
      });
      const entry: Pending = {
        member: member.id,
        resolve: (value) => {
          cancel();
          resolve(value);
        },
        reject: (error) => {
          cancel();
          reject(error);
        },
      };
      const list = this.#pending.get(key) ?? [];
      this.#pending.set(key, [...list, entry]);
      member.deliver(request.kind === 'eval' ? { _eval: script } : { _fetchProp: request.prop });
    });
  }

  /**
   * discord.js matches an answer to its question by the text. A comment tells a script from an equal one that is under
   * way or overdue; without need there is none, since an equal text is compiled only once.
   */
  #distinct(script: string, member: number): string {
    const underWay = this.#pending.get(script)?.some((pending) => pending.member === member) ?? false;
    const overdue = this.#overdue.get(member)?.has(script) ?? false;
    return underWay || overdue ? `${script}\n//#${this.#nextId++}` : script;
  }

  /** Equal fetches under way are answered in order; each gets one answer from each member. */
  #settle(member: number, key: string, message: Record<string, unknown>): boolean {
    const entry = this.#pending.get(key)?.find((pending) => pending.member === member);
    if (entry === undefined) {
      this.#overdue.get(member)?.delete(key); // late: its caller has been told already
      return true;
    }
    this.#remove(key, entry);
    if (message['_error'] === undefined) entry.resolve(message['_result']);
    else entry.reject(new RemoteError(message['_error'] as PlainError));
    return true;
  }

  #remove(key: string, entry: Pending): void {
    const rest = (this.#pending.get(key) ?? []).filter((other) => other !== entry);
    if (rest.length === 0) this.#pending.delete(key);
    else this.#pending.set(key, rest);
  }
}

/** A call could not be answered: the clusters that are missing are named. */
class ShardingError extends Error {
  override readonly name = 'ShardingError';
  constructor(message: string) {
    super(message.endsWith('.') ? message : `${message}.`);
  }
}

/** As discord.js's ShardingManager says it, so that a bot which looks at the error finds what it expects. */
class ShardNotFoundError extends Error {
  override readonly name = 'DiscordjsError [ShardingShardNotFound]';
  constructor(shard: number) {
    super(`Shard ${shard} could not be found.`);
  }
}

/** What the script threw in a cluster, as discord.js sent it. */
class RemoteError extends Error {
  constructor(readonly plain: PlainError) {
    super(plain.message);
  }
}

function toPlain(error: unknown): PlainError {
  if (error instanceof RemoteError) return error.plain;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { name, message, stack: `${name}: ${message}` };
}

function fetchKey(prop: string): string {
  return `fetch:${prop}`;
}
