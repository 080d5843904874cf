import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { IncidentBook } from './book';
import type { Clock } from '../clock';
import { Detector } from './detector';
import { isMoreSevere } from './findings';
import { LocalLog } from './log/local-log';
import { PostgresLog, type LogConnection } from './log/postgres-log';
import type { Silence } from './log/records';
import { Notifications, type Outcome, type Target, type TargetView, type TestResult } from './notifiers/notifications';
import type { Rule } from './rule';
import { SignalBoard, isLasting } from './signals';
import { Silences } from './silences';
import type {
  Announcement,
  Incident,
  IncidentDesk,
  IncidentEvent,
  IncidentListener,
  IncidentType,
  Scope,
  Signal,
} from './types';
import type { Occurrence, Window } from './window';

/** What the supervisor knows at the moment. */
export interface Look extends Omit<Window, 'now' | 'occurrences' | 'signals'> {
  /** Enough is known to call an incident over. */
  complete: boolean;
}

export interface IncidentsOptions {
  /** Name of the bot, as it stands in messages. */
  bot: string;
  clock: Clock;
  rules: readonly Rule[];
  /** How often everything is looked at, ms. */
  intervalMs: number;
  /** One that comes back within this time is the same incident, ms. */
  reopenMs: number;
  look: () => Look;
  /** Folder of the local log. */
  dir: string;
  /** A connection to the first database shard; null: there is none, or not yet. */
  connect: () => Promise<LogConnection | null>;
  targets: readonly Target[];
  notify: { groupMs: number; perMinute: number; timeoutMs: number };
  /** Takes secrets out of texts: servers and commands say what they like. */
  redact: (text: string) => string;
  onOutcome: (outcome: Outcome) => void;
  onError: (error: unknown) => void;
}

/** An order that cannot be carried out; the message says why. */
export class IncidentError extends Error {
  override readonly name = 'IncidentError';
  constructor(
    readonly reason: 'unknown' | 'ambiguous' | 'wrong',
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** What is seen is remembered for so long, ms, and not more of it. */
const MEMORY_MS = 30 * 60_000;
const MAX_OCCURRENCES = 20_000;
/** Several facts of one moment are looked at together, ms. */
const SOON_MS = 100;
const STOP_GRACE_MS = 2_000;
const MAX_TEXT = 400;
/** Letters and digits that are not taken for one another. */
const ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz';
const ID_LENGTH = 4;

/**
 * Incidents of one bot: looks at everything in turns, keeps what it finds, tells it. Nothing outside is waited for: neither
 * Postgres nor a notifier nor the disk.
 */
export class Incidents implements IncidentDesk {
  readonly #options: IncidentsOptions;
  readonly #book: IncidentBook;
  readonly #detector: Detector;
  readonly #signals = new SignalBoard();
  readonly #silences = new Silences();
  readonly #local: LocalLog;
  readonly #postgres: PostgresLog;
  readonly #notifications: Notifications;
  readonly #listeners = new Set<IncidentListener>();
  #occurrences: Occurrence[] = [];
  #cancel: () => void = () => undefined;
  #soon = false;
  #running = false;
  #lookedAt: number | null = null;

  constructor(options: IncidentsOptions) {
    this.#options = options;
    const { clock, rules, intervalMs, reopenMs, onError } = options;
    this.#book = new IncidentBook({ makeId: (now) => this.#makeId(now), emit: (event) => this.#told(event) });
    this.#detector = new Detector({ rules, book: this.#book, intervalMs, reopenMs });
    this.#local = new LocalLog({ dir: options.dir, onError });
    this.#postgres = new PostgresLog({ connect: () => this.#connect(), onError });
    this.#notifications = new Notifications({
      bot: options.bot,
      targets: options.targets,
      clock,
      incidents: () => [...this.#book.unresolved, ...this.#book.past],
      isSilenced: (incident, now) => this.#silences.covers(incident, now),
      save: (id, told) => void this.#local.append({ kind: 'told', id, told }),
      onOutcome: (outcome) => this.#outcome(outcome),
      ...options.notify,
    });
  }

  /** Goes on where the supervisor before this one ended. */
  async start(): Promise<void> {
    const { incidents, told, silences, signals } = await this.#local.load();
    const now = this.#options.clock.now();
    this.#book.restore(incidents);
    this.#silences.restore(silences);
    this.#signals.restore(signals, now);
    this.#notifications.restore(told);
    for (const incident of incidents) this.#postgres.save(incident);
    this.#running = true;
    this.#turn();
  }

  /** No more looks; what is due is still told and written, as far as there is time. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#cancel();
    await this.#notifications.stop(STOP_GRACE_MS);
    await this.#local.flush();
    // What Postgres has not got by then, it gets from the local log at the next start.
    await Promise.race([this.#postgres.stop(), delay(STOP_GRACE_MS, undefined, { ref: false })]);
  }

  signal(signal: Signal): void {
    const now = this.#options.clock.now();
    const clean = { ...signal, text: this.#clean(signal.text) };
    const isNew = this.#signals.take(clean, now);
    if (isLasting(clean)) void this.#local.append({ kind: 'signal', signal: clean });
    if (isNew) this.lookSoon();
  }

  /** Something has happened. */
  occurred(occurrence: Occurrence): void {
    this.#occurrences.push(occurrence);
    if (this.#occurrences.length > MAX_OCCURRENCES) this.#occurrences.shift();
    if (occurrence.kind !== 'disconnect') this.lookSoon();
  }

  /** Looks before its turn. */
  lookSoon(): void {
    if (this.#soon || !this.#running) return;
    this.#soon = true;
    this.#options.clock.after(SOON_MS, () => {
      this.#soon = false;
      if (this.#running) this.#lookNow();
    });
  }

  openIncidents(): readonly Incident[] {
    return [...this.#book.unresolved].sort(bySeverity);
  }

  /** Unresolved ones and those of the last while, the latest first. */
  known(): readonly Incident[] {
    return [...this.#book.past, ...this.#book.unresolved].sort((a, b) => b.openedAt - a.openedAt);
  }

  get lookedAt(): number | null {
    return this.#lookedAt;
  }

  /** Incidents that Postgres does not know yet. */
  get unsaved(): number {
    return this.#postgres.waiting;
  }

  /** Those of the past too, as far as Postgres can be asked. @throws Error of the server */
  history(since: number, limit: number): Promise<Incident[]> {
    return this.#postgres.list({ since, limit });
  }

  /** By its id, or the end of it. @throws IncidentError unknown, ambiguous */
  find(id: string): Incident {
    const exact = this.#book.get(id);
    if (exact !== null) return exact;
    const fits = this.known().filter((one) => one.id.endsWith(`-${id}`));
    const [first] = fits;
    if (first === undefined)
      throw new IncidentError('unknown', `there is no incident ${id}`, 'See: botctl incidents list --all');
    if (fits.length > 1) throw new IncidentError('ambiguous', `${id} may be ${fits.map((one) => one.id).join(' or ')}`);
    return first;
  }

  /** As `find`, and in Postgres. @throws IncidentError unknown, ambiguous */
  async findAnywhere(id: string): Promise<Incident> {
    try {
      return this.find(id);
    } catch (error) {
      if (!(error instanceof IncidentError) || error.reason !== 'unknown') throw error;
      const old = await this.#postgres.get(id).catch(() => null);
      if (old === null) throw error;
      return old;
    }
  }

  note(id: string, { kind, text }: { kind: 'action' | 'note'; text: string }): void {
    const incident = this.#book.get(id);
    if (incident !== null) this.#book.note(incident, kind, this.#clean(text), this.#options.clock.now());
  }

  /** @throws IncidentError */
  acknowledge(id: string, by: string): Incident {
    const incident = this.#unresolved(id);
    return this.#book.acknowledge(incident, by, this.#options.clock.now());
  }

  /** @param forMs 0 ends the silence @throws IncidentError */
  silence(id: string, forMs: number, by: string): Incident {
    const now = this.#options.clock.now();
    return this.#book.silence(this.#unresolved(id), now + forMs, by, now);
  }

  /** Silences whatever fits, also what is still to come. */
  silenceAll(what: { type?: IncidentType; scope?: Scope; forMs: number; by: string; reason?: string }): Silence {
    const { forMs, ...rest } = what;
    const at = this.#options.clock.now();
    const silence = { id: `s-${randomText()}`, ...rest, at, until: at + forMs };
    this.#silences.add(silence);
    void this.#local.append({ kind: 'silence', silence });
    return silence;
  }

  /** @throws IncidentError */
  endSilence(id: string): Silence {
    const known = this.#silences.get(id);
    if (known === null)
      throw new IncidentError('unknown', `there is no silence ${id}`, 'See: botctl incidents silences');
    const silence = { ...known, until: this.#options.clock.now() };
    this.#silences.add(silence);
    void this.#local.append({ kind: 'silence', silence });
    this.#notifications.wake();
    return silence;
  }

  silences(): Silence[] {
    return this.#silences.active(this.#options.clock.now());
  }

  /** By hand: it comes back only after its condition has gone away once. @throws IncidentError */
  resolve(id: string, by: string): Incident {
    const incident = this.#unresolved(id);
    const now = this.#options.clock.now();
    this.#detector.dismiss(incident);
    return this.#book.resolve(incident, now, now, `by ${by}`);
  }

  announce(announcement: Announcement): void {
    this.#notifications.announce({ ...announcement, text: this.#clean(announcement.text) });
  }

  targets(): TargetView[] {
    return this.#notifications.view();
  }

  testTargets(name: string | null): Promise<TestResult[]> {
    return this.#notifications.test(name);
  }

  onEvent(listener: IncidentListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #turn(): void {
    if (!this.#running) return;
    this.#cancel = this.#options.clock.after(this.#options.intervalMs, () => this.#turn());
    this.#lookNow();
  }

  #lookNow(): void {
    const { clock, look, onError } = this.#options;
    const now = clock.now();
    this.#occurrences = this.#occurrences.filter(({ at }) => Math.abs(now - at) <= MEMORY_MS);
    try {
      const { complete, ...seen } = look();
      const window = { ...seen, now, occurrences: this.#occurrences, signals: this.#signals.held(now) };
      this.#detector.step(window, complete);
      this.#lookedAt = now;
    } catch (error) {
      onError(error);
    }
    this.#notifications.wake(); // a silence may have ended
  }

  #told(event: IncidentEvent): void {
    void this.#local.append({ kind: 'incident', incident: event.incident });
    this.#postgres.save(event.incident);
    if (event.type !== 'incident.noted') this.#notifications.wake();
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#options.onError(error);
      }
    }
  }

  #outcome(outcome: Outcome): void {
    const { target, notices, error } = outcome;
    for (const { incident, kind } of notices) {
      const known = incident === null ? null : this.#book.get(incident.id);
      if (known === null) continue;
      const text = error === null ? `${target}: ${kind}` : `${target} refused it: ${error}`;
      this.#book.note(known, 'notified', text, this.#options.clock.now());
    }
    this.#options.onOutcome(outcome);
  }

  #unresolved(id: string): Incident {
    const incident = this.find(id);
    if (incident.state !== 'resolved') return incident;
    throw new IncidentError('wrong', `${incident.id} is resolved already`);
  }

  async #connect(): Promise<LogConnection> {
    const connection = await this.#options.connect();
    if (connection === null) throw new Error('there are no database shards');
    return connection;
  }

  /** One line without secrets, and without what databases refuse. */
  #clean(text: string): string {
    const line = this.#options
      .redact(text)
      .replace(/[\s\p{Cc}]+/gu, ' ')
      .trim();
    return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line;
  }

  #makeId(now: number): string {
    const day = new Date(now).toISOString().slice(2, 10).replaceAll('-', '');
    let id: string;
    do id = `${day}-${randomText()}`;
    while (this.#book.get(id) !== null);
    return id;
  }
}

function randomText(): string {
  return Array.from({ length: ID_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}

function bySeverity(one: Incident, other: Incident): number {
  if (one.severity !== other.severity) return isMoreSevere(one.severity, other.severity) ? -1 : 1;
  return one.openedAt - other.openedAt;
}
