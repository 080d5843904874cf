export { forecast, outlook, HOUR_MS } from './forecast';
export type { Expected, Forecast, Meeting, TooLittle, Trend } from './types';
export { MIN_DAYS } from './fit';
export type { Point } from './points';
