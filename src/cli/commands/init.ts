import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { detectEntry, initTemplate } from '../../config';
import { EXIT } from '../../control/contract';
import { CliError } from '../cli-error';
import type { CliContext, CommonOptions } from '../context';
import { Style } from '../render/style';

interface InitOptions extends CommonOptions {
  yes?: true;
  force?: true;
}

interface Answers {
  name: string;
  entry: string;
}

const STATE_DIR = '.botctl/';
const DEFAULT_ENTRY = './bot.js';

/** Writes a config for the bot in this folder. Holds no secret, so that it can be committed. */
export async function init(options: InitOptions, context: CliContext): Promise<number> {
  const { cwd, stdout } = context;
  const file = join(cwd, options.config ?? 'botctl.yaml');
  if (existsSync(file) && options.force !== true) {
    throw new CliError(
      `${file} exists already.`,
      EXIT.failed,
      'Overwrite it with --force, or check it with: botctl config check',
    );
  }
  const found: Answers = { name: nameOf(cwd), entry: detectEntry(cwd) ?? DEFAULT_ENTRY };
  const interactive = options.yes !== true && stdout.isTTY && process.stdin.isTTY;
  const answers = interactive ? await ask(found) : found;
  if (answers === null) return EXIT.failed;
  writeFileSync(file, initTemplate(answers), { flag: options.force === true ? 'w' : 'wx' });
  ignoreState(cwd);
  const style = new Style(context.style);
  stdout.write(`${style.sign('good')} wrote ${file}\n`);
  if (!existsSync(join(cwd, answers.entry))) {
    stdout.write(`${style.sign('busy')} ${answers.entry} is not there yet: set bot.entry to the file that logs in\n`);
  }
  stdout.write(`  next          botctl start --sandbox        try it without a token\n`);
  stdout.write(`                DISCORD_TOKEN=… botctl start  run it\n`);
  return EXIT.ok;
}

async function ask(found: Answers): Promise<Answers | null> {
  const { group, text } = await import('@clack/prompts');
  const cancel = new AbortController();
  const answers = await group(
    {
      name: () => text({ message: 'Name of the bot', initialValue: found.name }),
      entry: () => text({ message: 'File that logs in', initialValue: found.entry }),
    },
    { onCancel: () => cancel.abort() },
  );
  return cancel.signal.aborted ? null : answers;
}

function nameOf(cwd: string): string {
  try {
    const { name } = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8')) as { name?: unknown };
    if (typeof name === 'string' && name !== '') return name;
  } catch {
    // no package.json: the folder names it
  }
  return basename(cwd) || 'bot';
}

/** Sessions and data do not belong into a repository. */
function ignoreState(cwd: string): void {
  const file = join(cwd, '.gitignore');
  if (!existsSync(file)) return;
  const text = readFileSync(file, 'utf8');
  if (text.split(/\r?\n/).includes(STATE_DIR)) return;
  appendFileSync(file, `${text.endsWith('\n') || text === '' ? '' : '\n'}${STATE_DIR}\n`);
}
