import bytes from 'bytes';
import ms from 'ms';
import { z } from 'zod';

/*
 * The kinds of values in the config. Each has one sentence that says what is expected, so that every mistake at that
 * key reads the same.
 */

export function text(expected = 'text'): z.ZodString {
  const error = `expected ${expected}`;
  return z.string({ error }).min(1, { error });
}

export function flag(): z.ZodBoolean {
  return z.boolean({ error: 'expected true or false' });
}

export function integer(min: number, max: number): z.ZodInt {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function fraction(min: number, max: number): z.ZodNumber {
  const error = `expected a number from ${min} to ${max}`;
  return z.number({ error }).min(min, { error }).max(max, { error });
}

export function oneOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: `expected one of: ${values.join(', ')}` });
}

/** Written as "30s", "5m", "100ms", or a number of ms; read as ms. */
export function duration(min: string, max: string) {
  const [minMs, maxMs] = [parseDuration(min), parseDuration(max)];
  const error = `expected a duration from ${min} to ${max}, such as 500ms, 30s or 5m`;
  return z
    .union([z.string(), z.number()], { error })
    .meta({ title: 'duration' })
    .transform((value, context) => {
      const parsed = parseDuration(value);
      if (Number.isNaN(parsed) || parsed < minMs || parsed > maxMs) {
        context.addIssue({ code: 'custom', message: error });
        return z.NEVER;
      }
      return Math.round(parsed);
    });
}

/** Written as "64MB", "1GB", or a number of bytes; read as bytes (1 MB is 1024 KB). */
export function size(min: string, max: string) {
  const [minBytes, maxBytes] = [bytes.parse(min) ?? 0, bytes.parse(max) ?? 0];
  const error = `expected a size from ${min} to ${max}, such as 64MB or 1GB`;
  return z
    .union([z.string(), z.number()], { error })
    .meta({ title: 'size' })
    .transform((value, context) => {
      const parsed =
        typeof value === 'number' ? value : /^\d+(\.\d+)?\s*[kmgt]?b$/i.test(value) ? bytes.parse(value) : null;
      if (parsed === null || parsed < minBytes || parsed > maxBytes) {
        context.addIssue({ code: 'custom', message: error });
        return z.NEVER;
      }
      return Math.round(parsed);
    });
}

export function url(protocols: readonly string[], example: string) {
  const error = `expected a URL such as ${example}`;
  return z.string({ error }).refine(
    (value) => {
      const parsed = URL.canParse(value) ? new URL(value) : null;
      return parsed !== null && protocols.includes(parsed.protocol) && parsed.host !== '';
    },
    { error },
  );
}

function parseDuration(value: string | number): number {
  if (typeof value === 'number') return value;
  if (!/^\d+(\.\d+)?\s*(ms|s|m|h|d)$/.test(value)) return Number.NaN;
  return ms(value as ms.StringValue);
}
