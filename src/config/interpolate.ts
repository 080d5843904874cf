import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export interface Interpolated {
  text: string;
  /** The whole value was one `${…}`, so its type is not known from the file. */
  whole: boolean;
  /** Some of it came from the environment: it may be a secret and is not shown in errors. */
  fromEnvironment: boolean;
  /** Contents of `NAME_FILE` files: secrets for sure. */
  fromFiles: string[];
}

/** A `${…}` that cannot be resolved. */
export class InterpolationError extends Error {
  override readonly name = 'InterpolationError';
  constructor(
    message: string,
    readonly hint: string,
    /** The variable that is not set, or null for other mistakes. */
    readonly unset: string | null = null,
  ) {
    super(message);
  }
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${`. NAME may be given by a file that NAME_FILE names.
 * @throws InterpolationError
 */
export function interpolate(value: string, env: NodeJS.ProcessEnv, dir: string): Interpolated {
  const result: Interpolated = { text: '', whole: false, fromEnvironment: false, fromFiles: [] };
  let rest = value;
  for (let at = rest.indexOf('${'); at !== -1; at = rest.indexOf('${')) {
    if (rest[at - 1] === '$') {
      result.text += `${rest.slice(0, at - 1)}\${`;
      rest = rest.slice(at + 2);
      continue;
    }
    const end = rest.indexOf('}', at);
    if (end === -1) throw new InterpolationError('`${` without a closing `}`', 'Write $${ for a literal ${');
    result.text += rest.slice(0, at) + variable(rest.slice(at + 2, end), env, dir, result);
    result.fromEnvironment = true;
    rest = rest.slice(end + 1);
  }
  result.text += rest;
  result.whole = /^\$\{[^}]*\}$/.test(value);
  return result;
}

function variable(expression: string, env: NodeJS.ProcessEnv, dir: string, result: Interpolated): string {
  const separator = expression.indexOf(':-');
  const name = separator === -1 ? expression : expression.slice(0, separator);
  const fallback = separator === -1 ? null : expression.slice(separator + 2);
  if (!NAME.test(name)) {
    throw new InterpolationError(
      `\`\${${expression}}\` is not the name of a variable`,
      'Write ${NAME} or ${NAME:-default}',
    );
  }
  const value = env[name];
  if (value !== undefined && (value !== '' || fallback === null)) return value;
  const file = env[`${name}_FILE`];
  if (file !== undefined && file !== '') {
    const content = readSecret(name, resolve(dir, file));
    result.fromFiles.push(content);
    return content;
  }
  if (fallback !== null) return fallback;
  throw new InterpolationError(
    `the environment variable ${name} is not set`,
    `Set ${name}, or ${name}_FILE to the path of a file that holds it, or write \${${name}:-default}`,
    name,
  );
}

function readSecret(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new InterpolationError(
      `the file in ${name}_FILE cannot be read: ${file} (${reason})`,
      'Check the path and who may read it',
    );
  }
}
