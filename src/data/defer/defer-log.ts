/** Takes one line; it never holds the values of a statement. */
export type DeferLog = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: object) => void;
