import { stringify } from 'yaml';
import { jsonSchema, loadConfig, redactConfig, type LoadedConfig } from '../../config';
import { EXIT } from '../../control/contract';
import { configFile, type CliContext, type CommonOptions } from '../context';
import { Style } from '../render/style';

interface ConfigOptions extends CommonOptions {
  sandbox?: true;
  json?: true;
}

export async function check(options: ConfigOptions, context: CliContext): Promise<number> {
  const { file } = await load(options, context);
  context.stdout.write(`${new Style(context.style).sign('good')} ${file} is good\n`);
  return EXIT.ok;
}

export async function show(options: ConfigOptions, context: CliContext): Promise<number> {
  const { config, file, secrets } = await load(options, context);
  const shown = redactConfig(config, secrets);
  const text =
    options.json === true
      ? JSON.stringify(shown, null, 2)
      : `# ${file}, durations in ms, sizes in bytes\n${stringify(shown)}`;
  context.stdout.write(`${text.trimEnd()}\n`);
  return EXIT.ok;
}

export function printSchema(_options: CommonOptions, context: CliContext): Promise<number> {
  context.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
  return Promise.resolve(EXIT.ok);
}

function load(options: ConfigOptions, context: CliContext): Promise<LoadedConfig> {
  const { cwd, env } = context;
  return loadConfig({ cwd, env, file: configFile(options, context), sandbox: options.sandbox === true });
}
