import type { Command } from 'commander';
import { EXIT } from '../../control/contract';
import { CliError } from '../cli-error';
import { bash } from '../completion/bash';
import { fish } from '../completion/fish';
import { levelsOf, type Level } from '../completion/levels';
import { zsh } from '../completion/zsh';
import type { CliContext } from '../context';

const SHELLS: Record<string, (levels: Level[]) => string> = { bash, zsh, fish };

/** Prints a completion script made from the commands themselves. */
export function completion(program: Command, options: { argument: string }, { stdout }: CliContext): number {
  const script = SHELLS[options.argument];
  if (script === undefined) {
    throw new CliError(`There is no completion for ${options.argument}.`, EXIT.usage, 'Shells: bash, zsh, fish.');
  }
  stdout.write(script(levelsOf(program)));
  return EXIT.ok;
}
