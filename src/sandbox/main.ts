import type { SandboxOptions } from './options';
import { Sandbox } from './sandbox';

/** The sandbox as a process of its own: options as JSON in the environment, one line of JSON when it listens. */
interface MainOptions extends Partial<SandboxOptions> {
  /** It ends by itself when nobody has said that the sandbox is needed for so long, ms. 0: never. */
  lingerMs?: number;
}

async function main(): Promise<void> {
  // Whoever read our output may be gone.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const { lingerMs = 0, ...options } = readOptions();
  const stop = (): void => {
    void sandbox.close().finally(() => process.exit(0));
  };
  let linger: NodeJS.Timeout | null = null;
  const stay = (): void => {
    if (linger !== null) clearTimeout(linger);
    linger = lingerMs > 0 ? setTimeout(stop, lingerMs) : null;
  };
  const sandbox = new Sandbox(options, { onStop: stop, onKeepalive: stay });
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  try {
    const { port, apiUrl } = await sandbox.listen();
    stay();
    process.stdout.write(`${JSON.stringify({ port, apiUrl, pid: process.pid })}\n`);
  } catch (error) {
    process.stderr.write(`the sandbox cannot listen on port ${options.port ?? 0}: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

function readOptions(): MainOptions {
  try {
    return JSON.parse(process.env['BOTCTL_SANDBOX_OPTIONS'] ?? '{}') as MainOptions;
  } catch (error) {
    process.stderr.write(`BOTCTL_SANDBOX_OPTIONS is no JSON: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

void main();
