import type { Incident, IncidentDesk, IncidentType, Scope } from '../incidents';
import type { RecoveryActions, StepOutcome } from './actions';
import { blastRadius, decide, type RecoverySettings, type Situation, type UnderWay } from './decide';
import type { Fleet } from './fleet';
import type { ActionRecord, History } from './history';
import { strategyOf } from './strategies';
import type { Step, Strategy, StrategyLimits } from './strategy';

/** What the config says instead of a strategy's own limits. */
export interface StrategyOverride {
  enabled?: boolean | undefined;
  coolDownMs?: number | undefined;
  maxPerHour?: number | undefined;
}

export interface RecoveryEngineOptions {
  desk: IncidentDesk;
  actions: RecoveryActions;
  fleet: () => Fleet;
  history: History;
  settings: RecoverySettings;
  overrides: Readonly<Partial<Record<IncidentType, StrategyOverride>>>;
  /** Discord itself is out. */
  isOutage: () => boolean;
  busy: () => UnderWay;
  now: () => number;
  onStep: (record: ActionRecord) => void;
  /** Nothing more is done about an incident by itself; why. */
  onGivenUp: (incident: Incident, why: string) => void;
}

/** An order given by hand. */
export interface RecoveryOrder {
  type: IncidentType;
  /** Absent: that of the open incident, or the whole bot. */
  scope?: Scope;
  dryRun: boolean;
}

/** The order cannot be carried out; one sentence, and what to do. */
export class RecoveryRefused extends Error {
  override readonly name = 'RecoveryRefused';
  constructor(
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

type Present = Pick<Situation, 'now' | 'settings' | 'outage' | 'busy' | 'fleet'>;

const ROUND_MS = 1_000;
const POLL_MS = 250;

/**
 * Works on open incidents: takes the steps of their strategies one after the other, sees whether each has helped, and stays
 * within the limits. What to do is decided in decide.ts; here it is done and written down.
 */
export class RecoveryEngine {
  #timer: NodeJS.Timeout | null = null;
  #stopListening: () => void = () => undefined;
  #soon: NodeJS.Immediate | null = null;
  readonly #said = new Map<string, string>();
  /** Incidents about which nothing more is done, and why. */
  readonly #givenUp = new Map<string, string>();
  readonly #running = new Set<Promise<unknown>>();
  #stopped = false;

  constructor(private readonly options: RecoveryEngineOptions) {}

  start(): void {
    this.#timer = setInterval(() => this.round(), ROUND_MS).unref();
    this.#stopListening = this.options.desk.onEvent(({ type }) => {
      // Our own notes are no news.
      if (type !== 'incident.noted') this.#soon ??= setImmediate(() => this.round());
    });
  }

  /** Begins nothing more; what is under way goes on. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#soon !== null) clearImmediate(this.#soon);
    this.#stopListening();
  }

  /** Looks at all open incidents once. */
  round(): void {
    this.#soon = null;
    if (this.#stopped) return;
    const open = this.options.desk.openIncidents();
    if (open.length > 0) {
      const present = this.#look();
      for (const incident of open) {
        for (const scope of scopesOf(incident)) this.#workOn(incident, scope, present);
      }
    }
    this.#settleGone(open);
    const ids = new Set(open.map(({ id }) => id));
    for (const key of this.#said.keys()) if (!ids.has(key.split(' ')[0] ?? '')) this.#said.delete(key);
    for (const id of this.#givenUp.keys()) if (!ids.has(id)) this.#givenUp.delete(id);
  }

  limitsOf(type: IncidentType, strategy: Strategy): StrategyLimits & { enabled: boolean } {
    const { enabled = true, coolDownMs, maxPerHour } = this.options.overrides[type] ?? {};
    const own = strategy.kind === 'act' ? strategy : { coolDownMs: 0, maxPerHour: 0 };
    return { enabled, coolDownMs: coolDownMs ?? own.coolDownMs, maxPerHour: maxPerHour ?? own.maxPerHour };
  }

  /**
   * Carries out a strategy by hand: step by step until one helps. The operator's word stands above cool-downs and hourly
   * budgets, not above an outage of Discord's, what is under way, or the limit of shards at once.
   * @throws RecoveryRefused
   */
  async recover(order: RecoveryOrder, onProgress: (text: string) => void): Promise<boolean> {
    const strategy = strategyOf(order.type);
    if (strategy.kind === 'notify-only') {
      throw new RecoveryRefused(`Nothing can be done about ${order.type} from here.`, strategy.summary);
    }
    const incident = this.#find(order);
    const scope = order.scope ?? incident?.scope ?? 'bot';
    for (const [index, step] of strategy.steps.entries()) {
      const what = `${step.name} (${index + 1} of ${strategy.steps.length}) for ${scope}`;
      const why = this.#refusal(step, order, scope);
      if (order.dryRun) {
        onProgress(`would ${uncapital(step.does)}${why === null ? '' : `, but not now: ${why}`}`);
        continue;
      }
      if (why !== null) throw new RecoveryRefused(`${capital(what)} is not done: ${why}.`);
      onProgress(`${what}: ${step.does}`);
      const outcome = await this.#take({ step, index, scope, type: order.type, incident, dryRun: false, byHand: true });
      onProgress(`${what}: ${outcome.text}`);
      if (incident === null) {
        if (outcome.ok) return true;
      } else if (await this.#clears(incident.id, step.verifyMs)) {
        onProgress(`${order.type} for ${scope} has cleared`);
        return true;
      } else onProgress(`${step.name} has not helped within ${step.verifyMs / 1_000} s`);
    }
    return order.dryRun;
  }

  #workOn(incident: Incident, scope: Scope, present: Present): void {
    const decision = decide(this.#situation(incident, scope, present));
    switch (decision.kind) {
      case 'none':
        return;
      case 'held':
        this.#sayOnce(incident, scope, decision.why);
        if (decision.isOver) this.#giveUp(incident, decision.why);
        return;
      case 'helped':
        this.options.history.change(decision.record, { helped: true });
        return this.#note(incident.id, `${decision.record.step} for ${scope} has helped: the condition has cleared`);
      case 'not-helped':
        this.options.history.change(decision.record, { helped: false });
        this.#note(incident.id, `${decision.record.step} for ${scope} has not helped`);
        return this.#workOn(incident, scope, present);
      case 'take': {
        const { step, index, dryRun } = decision;
        const type = incident.strategy;
        this.#keep(this.#take({ step, index, scope, type, incident, dryRun, byHand: false }));
      }
    }
  }

  /** What is the same for all incidents of a round. */
  #look(): Present {
    const { now, settings, isOutage, busy, fleet } = this.options;
    return { now: now(), settings, outage: isOutage(), busy: busy(), fleet: fleet() };
  }

  #situation(incident: Situation['incident'], scope: Scope, present: Present): Situation {
    const strategy = strategyOf(incident.strategy);
    const limits = this.limitsOf(incident.strategy, strategy);
    return { ...present, incident, scope, strategy, limits, records: this.options.history.records };
  }

  async #take(order: {
    step: Step;
    index: number;
    scope: Scope;
    type: IncidentType;
    incident: Incident | null;
    dryRun: boolean;
    byHand: boolean;
  }): Promise<StepOutcome> {
    const { step, index, scope, type, incident, dryRun, byHand } = order;
    const { now, fleet, history, actions } = this.options;
    const target = { scope, fleet: fleet() };
    const record: ActionRecord = {
      at: now(),
      incident: incident?.id ?? null,
      type,
      scope,
      step: step.name,
      index,
      outcome: null,
      endedAt: null,
      helped: null,
      dryRun,
      byHand,
    };
    const change = history.add(record);
    const who = byHand ? 'by hand, ' : dryRun ? 'dry run, ' : '';
    if (incident !== null && !dryRun) this.#note(incident.id, `${who}${step.name} for ${scope}: ${step.does}`);
    const outcome = dryRun ? { ok: true, text: `would ${uncapital(step.does)}` } : await step.run(target, actions);
    // Without an incident nobody looks whether it has helped.
    change({ outcome, endedAt: now(), ...(incident === null && { helped: outcome.ok }) });
    if (incident !== null) {
      this.#note(incident.id, `${who}${step.name} for ${scope}: ${outcome.ok ? '' : 'failed, '}${outcome.text}`);
    }
    this.options.onStep({ ...record, outcome, endedAt: now() });
    return outcome;
  }

  /** What an incident's last step came to, where the incident is over already. */
  #settleGone(open: readonly Incident[]): void {
    const ids = new Set(open.map(({ id }) => id));
    for (const record of this.options.history.records) {
      const { incident, outcome, helped, dryRun } = record;
      if (incident === null || ids.has(incident) || outcome === null || helped !== null || dryRun) continue;
      this.options.history.change(record, { helped: true });
      this.#note(incident, `${record.step} for ${record.scope} has helped: the incident is over`);
    }
  }

  #refusal(step: Step, { type }: RecoveryOrder, scope: Scope): string | null {
    const situation = this.#situation({ id: '', strategy: type, holds: true, parent: null }, scope, this.#look());
    if (situation.outage && step.needsDiscord) return 'Discord itself is out';
    const why = step.touches === 'nothing' ? null : situation.busy[step.touches];
    if (why !== null) return why;
    return blastRadius(situation, step);
  }

  /** @throws RecoveryRefused when it is not clear which is meant */
  #find({ type, scope }: RecoveryOrder): Incident | null {
    const open = this.options.desk.openIncidents().filter((incident) => incident.strategy === type);
    if (scope !== undefined) return open.find((incident) => scopesOf(incident).includes(scope)) ?? null;
    if (open.length > 1) {
      const scopes = open.map((incident) => incident.scope).join(', ');
      throw new RecoveryRefused(`There are ${open.length} incidents of ${type}.`, `Say which with --scope: ${scopes}`);
    }
    return open[0] ?? null;
  }

  async #clears(id: string, timeoutMs: number): Promise<boolean> {
    const { now, desk } = this.options;
    const until = now() + timeoutMs;
    while (now() < until && !this.#stopped) {
      const incident = desk.openIncidents().find((open) => open.id === id);
      if (incident === undefined || !incident.holds) return true;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return false;
  }

  #keep(work: Promise<unknown>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  #sayOnce(incident: Pick<Incident, 'id'>, scope: Scope, why: string): void {
    const key = `${incident.id} ${scope}`;
    // Durations in it change from one round to the next.
    const gist = why.replace(/\d+ (s|min)\b/g, '');
    if (this.#said.get(key) === gist) return;
    this.#said.set(key, gist);
    this.options.desk.note(incident.id, { kind: 'note', text: `recovery, ${scope}: ${why}` });
  }

  /** Whoever relies on it has to know that it does no more. */
  #giveUp(incident: Incident, why: string): void {
    if (this.#givenUp.get(incident.id) === why) return;
    this.#givenUp.set(incident.id, why);
    const { rule, scope, severity } = incident;
    const title = `recovery does nothing more about ${rule} (${scope})`;
    this.options.desk.announce({ title, text: why, severity });
    this.options.onGivenUp(incident, why);
  }

  #note(id: string, text: string): void {
    this.options.desk.note(id, { kind: 'action', text });
  }
}

/** One that concerns several of the same kind is worked on one by one. */
function scopesOf({ scope, affected }: Incident): readonly Scope[] {
  return affected.length === 0 ? [scope] : affected;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function uncapital(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
