import { prettyFactory } from 'pino-pretty';

/** One serialised log line to what a human reads: time, level, cluster, message, and the rest as key=value. */
export function prettyLines(color: boolean): (line: string) => string {
  const make = (hideObject: boolean): ((line: string) => string) =>
    prettyFactory({
      colorize: color,
      translateTime: 'SYS:HH:MM:ss.l',
      ignore: 'pid,hostname,cluster,stream',
      messageFormat: (record, messageKey) => `${originOf(record)}${stripControl(textOf(record[messageKey]))}`,
      singleLine: true,
      hideObject,
    });
  const [withFields, textOnly] = [make(false), make(true)];
  return (line) => {
    try {
      // The text of an event says all that its fields say to programs.
      return line.includes('"event":"') ? `${textOnly(line).trimEnd()}\n` : withFields(line);
    } catch {
      // A line that pino-pretty cannot read is still worth seeing.
      return line.endsWith('\n') ? line : `${line}\n`;
    }
  };
}

function originOf(record: Record<string, unknown>): string {
  const { cluster, event } = record;
  // The text of such an event names the cluster itself.
  if (typeof event === 'string' && event.startsWith('cluster.')) return '';
  return typeof cluster === 'number' ? `[cluster ${cluster}] ` : '';
}

function textOf(message: unknown): string {
  if (message === undefined) return '';
  return typeof message === 'string' ? message : JSON.stringify(message);
}

/** A bot's output must not move the operator's cursor or retitle the window. Colours and line ends may stay. */
function stripControl(text: string): string {
  return text.replace(/\u001b(?!\[[\d;]*m)|[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g, '');
}
