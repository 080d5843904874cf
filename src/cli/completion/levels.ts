import type { Argument, Command, Option } from 'commander';

/** What may follow on the command line. */
export interface Word {
  word: string;
  about: string;
}

export interface Flag {
  long: string;
  short: string | null;
  about: string;
  /** null: it is a switch. */
  value: { choices: readonly string[]; file: boolean } | null;
}

/** One command: what can follow it. */
export interface Level {
  /** Words before it, joined by a space; empty for botctl itself. */
  path: string;
  words: Word[];
  flags: Flag[];
}

/** All commands, from the root down. */
export function levelsOf(command: Command, path = ''): Level[] {
  const below = command.commands.flatMap((child) =>
    levelsOf(child, path === '' ? child.name() : `${path} ${child.name()}`),
  );
  const commands = command.commands.map((child) => ({ word: child.name(), about: child.description() }));
  const choices = command.registeredArguments.flatMap(({ argChoices = [], description }: Argument) =>
    argChoices.map((word) => ({ word, about: description })),
  );
  const flags = command.options.flatMap((option) => flagOf(option));
  flags.push({ long: '--help', short: '-h', about: 'Print this help.', value: null });
  return [{ path, words: [...commands, ...choices], flags }, ...below];
}

function flagOf({ long, short, description, flags, required, optional, argChoices, hidden }: Option): Flag[] {
  if (typeof long !== 'string' || hidden) return [];
  const value = required || optional ? { choices: argChoices ?? [], file: /<file>/.test(flags) } : null;
  return [{ long, short: short ?? null, about: description, value }];
}

/** Every spelling of the flags that want a value. */
export function valueFlags({ flags }: Level): string[] {
  return flags.flatMap(({ long, short, value }) => (value === null ? [] : short === null ? [long] : [short, long]));
}
