/** When a value is met, ms since the epoch; null: not within two years, or never. */
export interface Meeting {
  at: number | null;
  /** Band: as early as, as late as. */
  earliest: number | null;
  latest: number | null;
}

export interface TooLittle {
  kind: 'too-little';
  /** Days from the first hour to the last. */
  days: number;
  neededDays: number;
  /** Middle of the last day; null: not even that is known. */
  level: number | null;
}

export interface Trend {
  kind: 'trend';
  /** steady: growth, if any, cannot be told from noise. */
  direction: 'rising' | 'falling' | 'steady';
  perDay: number;
  /** Band of it; also where it is steady. */
  perDayBand: readonly [low: number, high: number];
  /** The level now, without the rhythm of the week. */
  level: number;
  /** What the strongest hour of this week comes to. */
  peak: number;
  /** The last jump, ms since the epoch. */
  stepAt: number | null;
  /** When each value that was asked for is met, in their order. */
  meetings: readonly Meeting[];
}

export type Forecast = TooLittle | Trend;

/** What is expected at a time, with its band. */
export interface Expected {
  at: number;
  value: number;
  low: number;
  high: number;
}
