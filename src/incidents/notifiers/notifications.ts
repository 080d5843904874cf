import type { Clock } from '../../clock';
import { isMoreSevere } from '../findings';
import type { Told, ToldByTarget } from '../log/records';
import type { Announcement, Incident, Severity } from '../types';
import { Lane, type LaneView } from './lane';
import { incidentNotice, type Notice } from './notice';
import type { Notifier, SendError } from './notifier';
import { afterNotice, dueNotice } from './told';

/** Where incidents are told, and which. */
export interface Target {
  notifier: Notifier;
  /** Less severe ones are not told. */
  least: Severity;
}

export interface NotificationsOptions {
  /** Name of the bot, as it stands in messages. */
  bot: string;
  targets: readonly Target[];
  clock: Clock;
  /** All that may have to be told: unresolved ones, and those resolved a while ago. */
  incidents: () => readonly Incident[];
  isSilenced: (incident: Incident, now: number) => boolean;
  /** Keeps what was told. */
  save: (id: string, told: ToldByTarget) => void;
  /** `target` has taken or refused a message. */
  onOutcome: (outcome: Outcome) => void;
  groupMs: number;
  perMinute: number;
  timeoutMs: number;
}

export interface Outcome {
  target: string;
  notices: readonly Notice[];
  /** null: taken. */
  error: string | null;
  /** null: not tried again. */
  retryInMs: number | null;
}

export interface TargetView extends LaneView {
  least: Severity;
}

export interface TestResult {
  name: string;
  /** null: taken. */
  error: string | null;
  tookMs: number;
}

/** Announcements that wait for one target. */
const MAX_ANNOUNCEMENTS = 20;

/** Tells every target what it has not been told yet. Each has its own way, so that none waits for another. */
export class Notifications {
  readonly #options: NotificationsOptions;
  readonly #ways: { target: Target; lane: Lane; announcements: Notice[] }[];
  readonly #told = new Map<string, ToldByTarget>();
  #announced = 0;

  constructor(options: NotificationsOptions) {
    this.#options = options;
    this.#ways = options.targets.map((target) => {
      const announcements: Notice[] = [];
      return { target, announcements, lane: this.#lane(target, announcements) };
    });
  }

  /** What an earlier supervisor has told. */
  restore(told: ReadonlyMap<string, ToldByTarget>): void {
    for (const [id, one] of told) this.#told.set(id, one);
  }

  view(): TargetView[] {
    return this.#ways.map(({ target, lane }) => ({ ...lane.view, least: target.least }));
  }

  /** Something may have to be told. */
  wake(): void {
    for (const { lane } of this.#ways) lane.wake();
  }

  announce({ title, text, severity }: Announcement): void {
    const { bot, clock } = this.#options;
    const at = clock.now();
    const key = `announcement/${at}/${this.#announced++}`;
    const notice: Notice = { kind: 'announcement', bot, title, text, severity, at, incident: null, key };
    for (const { target, lane, announcements } of this.#ways) {
      if (isMoreSevere(target.least, severity)) continue;
      announcements.push(notice);
      if (announcements.length > MAX_ANNOUNCEMENTS) announcements.shift();
      lane.wake();
    }
  }

  /** Sends a test message to every target, or the one with this name, at once and once. */
  async test(name: string | null): Promise<TestResult[]> {
    const asked = this.#ways.filter(({ target }) => name === null || target.notifier.name === name);
    return Promise.all(asked.map(({ target }) => this.#test(target.notifier)));
  }

  /** What is due is still told, as far as `graceMs` allow. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.#ways.map(({ lane }) => lane.stop(graceMs)));
  }

  async #test(notifier: Notifier): Promise<TestResult> {
    const { bot, clock, timeoutMs } = this.#options;
    const at = clock.now();
    const text = 'This is a test: incidents of this bot will be told here.';
    const key = `test/${at}`;
    const notice: Notice = { kind: 'test', bot, title: 'Test', text, severity: 'info', at, incident: null, key };
    try {
      await notifier.send([notice], AbortSignal.timeout(timeoutMs));
      return { name: notifier.name, error: null, tookMs: clock.now() - at };
    } catch (error) {
      return { name: notifier.name, error: (error as SendError).message, tookMs: clock.now() - at };
    }
  }

  #lane(target: Target, announcements: Notice[]): Lane {
    const { clock, groupMs, perMinute, timeoutMs, onOutcome } = this.#options;
    const { name } = target.notifier;
    const settle = (notices: readonly Notice[], error: string | null): void => {
      this.#settle(name, notices, announcements);
      onOutcome({ target: name, notices, error, retryInMs: null });
    };
    return new Lane({
      notifier: target.notifier,
      clock,
      groupMs,
      perMinute,
      timeoutMs,
      due: () => [...this.#due(target), ...announcements],
      onSent: (notices) => settle(notices, null),
      onRefused: (notices, reason) => settle(notices, reason),
      onError: (error, retryInMs) => {
        if (retryInMs !== null) onOutcome({ target: name, notices: [], error, retryInMs });
      },
    });
  }

  #due({ notifier, least }: Target): Notice[] {
    const { incidents, isSilenced, bot, clock } = this.#options;
    const now = clock.now();
    return incidents().flatMap((incident) => {
      const told = this.#told.get(incident.id)?.[notifier.name];
      const kind = dueNotice(incident, told, { least, isSilenced }, now);
      return kind === null ? [] : [incidentNotice(kind, incident, bot)];
    });
  }

  #settle(target: string, notices: readonly Notice[], announcements: Notice[]): void {
    const now = this.#options.clock.now();
    for (const { kind, incident, key } of notices) {
      if (incident === null) {
        const index = announcements.findIndex((one) => one.key === key);
        if (index !== -1) announcements.splice(index, 1);
      } else if (kind !== 'announcement' && kind !== 'test') {
        const before = this.#told.get(incident.id) ?? {};
        const told: Told = afterNotice(kind, incident, before[target], now);
        const after = { ...before, [target]: told };
        this.#told.set(incident.id, after);
        this.#options.save(incident.id, after);
      }
    }
    this.#forget();
  }

  /** What nobody can ask for any more. */
  #forget(): void {
    const known = new Set(this.#options.incidents().map(({ id }) => id));
    for (const id of this.#told.keys()) if (!known.has(id)) this.#told.delete(id);
  }
}
