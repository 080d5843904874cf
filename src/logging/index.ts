export { createLogger, type Logging, type LoggingOptions, type LogLevel } from './logger';
export { readLogs, type LogLine, type ReadLogsOptions } from './read-logs';
export { MIN_SECRET_LENGTH, REDACTED, Redactor } from './redactor';
