import { CommanderError } from 'commander';
import { EXIT } from '../control/contract';
import { processContext } from './context';
import { buildProgram } from './program';
import { reportError } from './render/errors';
import { styleFor } from './render/style';

/** Runs one command line; sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  const context = processContext();
  for (const stream of [context.stdout, context.stderr]) {
    // `botctl logs | head`: the reader is gone, and that is no error.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  try {
    const exitCode = await buildProgram(context).run(argv);
    process.exitCode = exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    const { color, unicode } = styleFor(context.stderr, context.env);
    const verbose = (context.env['BOTCTL_DEBUG'] ?? '') !== '';
    process.exitCode = reportError(error, { stderr: context.stderr, color, unicode, verbose });
  }
}
