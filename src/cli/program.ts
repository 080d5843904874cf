import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { EXIT } from '../control/contract';
import type { CliContext, CommonOptions } from './context';
import { version } from './version';

/** The command line. Each command's code is loaded when it runs. */
export interface Program {
  readonly command: Command;
  /** Runs a command line; resolves with the exit code. */
  run(argv: readonly string[]): Promise<number>;
}

type Action<O> = (options: O, context: CliContext) => Promise<number>;

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export function buildProgram(context: CliContext): Program {
  let exitCode: number = EXIT.ok;
  const program = new Command('botctl')
    .description('Process supervisor for large discord.js bots: shards, identify budget, sessions that survive.')
    .version(version(), '-V, --version', 'Print the version.')
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand('help [command]', 'Print the help of a command.')
    .showHelpAfterError('(see botctl --help)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    })
    .addHelpText('after', EXAMPLES);

  const define = (parent: Command, signature: string, description: string, examples: readonly string[]): Command => {
    const command = parent
      .command(signature)
      .description(description)
      .addOption(new Option('-c, --config <file>', 'Config file; else found from here upwards.'));
    return command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}\n`).join('')}`);
  };
  const act =
    <O extends CommonOptions>(load: () => Promise<Action<O>>) =>
    async (...args: unknown[]): Promise<void> => {
      const command = args.at(-1) as Command;
      // An argument of the command, such as the shell of `completion`, joins its options.
      const positional =
        command.processedArgs[0] !== undefined ? { argument: command.processedArgs[0] as unknown } : {};
      exitCode = await (await load())({ ...command.optsWithGlobals(), ...positional }, context);
    };

  define(program, 'start', 'Supervise the bot, in the foreground.', [
    'botctl start',
    'botctl start --detach',
    'botctl start --sandbox        # against a Discord on loopback, without a token',
  ])
    .option('-d, --detach', 'Go to the background when the supervisor is up.')
    .option('--sandbox', 'Run against the sandbox instead of Discord.')
    .option('--retry', 'Try again what was stopped for a fatal cause, such as a refused token.')
    .addOption(new Option('--log-level <level>', 'Instead of logging.level.').choices(LEVELS))
    .action(act(async () => (await import('./commands/start.js')).start));

  define(program, 'stop', 'Stop the bot gracefully; sessions are saved, so that a quick start resumes.', [
    'botctl stop',
  ])
    .option('--timeout <seconds>', 'Give up waiting after so long.', number(1, 86_400))
    .action(act(async () => (await import('./commands/stop.js')).stop));

  define(
    program,
    'restart',
    'Replace the processes by fresh ones, one after the other and without a gap, or reconnect one shard.',
    [
      'botctl restart',
      'botctl restart --cluster 3',
      'botctl restart --shard 17',
      'botctl restart --cold        # stop first, then start: for a bot that cannot run twice',
    ],
  )
    .addOption(new Option('--cluster <id>', 'Only this cluster.').argParser(number(0, 100_000)).conflicts('shard'))
    .addOption(new Option('--shard <id>', 'Only this shard: it reconnects by RESUME.').argParser(number(0, 100_000)))
    .addOption(new Option('--cold', 'Stop the old process before the new one starts.').conflicts('shard'))
    .action(act(async () => (await import('./commands/restart.js')).restart));

  define(program, 'status', 'Show how the bot is. Exit code 0: well, 1: degraded, 3: not running.', [
    'botctl status',
    'botctl status --watch',
    'botctl status --json | jq .identify',
  ])
    .option('--json', 'Print JSON.')
    .option('-w, --watch', 'Full screen, refreshed each second; q quits.')
    .option('--shards', 'One line per shard.')
    .action(act(async () => (await import('./commands/status.js')).status));

  define(program, 'health', 'Show what the health checks find. Exit code 0: healthy, 1: not, 3: not running.', [
    'botctl health',
    'botctl health --json | jq .checks',
    'botctl health --live          # only: does the supervisor answer? For the HEALTHCHECK of a container',
  ])
    .option('--json', 'Print JSON.')
    .option('--live', 'Only whether the supervisor lives; sick databases and shards do not count.')
    .action(act(async () => (await import('./commands/health.js')).health));
  define(program, 'metrics', 'Show what was measured in the last 24 hours: all metrics by name, or one as a curve.', [
    'botctl metrics',
    'botctl metrics interactions_total --since 6h',
    'botctl metrics shard_ping_seconds --by shard --stat p95 --top 5',
    'botctl metrics rest_requests_total --by status --where route="POST /channels/:id/messages"',
  ])
    .argument('[name]', 'Name of the metric; without it all are listed.')
    .option('--since <duration>', 'How far back, such as 30m or 24h. Default: 1h.')
    .option('--step <duration>', 'Time per point, such as 5m.')
    .option('--by <labels>', 'One line for each value of these labels (with commas); else all are one line.')
    .option('--where <label=value>', 'Only series with this label; may be repeated.', condition, [])
    .option('--stat <statistic>', 'rate, increase, mean, min, max, count, p50, p90, p95 or p99.')
    .option('--top <count>', 'Only so many lines, the greatest first.', number(1, 100_000))
    .option('--json', 'Print JSON.')
    .action(act(async () => (await import('./commands/metrics.js')).metrics));

  define(program, 'recover', 'Show what botctl does about incidents, or do it by hand.', [
    'botctl recover                                  # strategies, their limits, what was done lately',
    'botctl recover memory-pressure --scope cluster:3 --dry-run',
    'botctl recover shard-stuck --scope shard:17',
    'botctl recover --end-outage                     # Discord is back, whatever the evidence says',
  ])
    .argument('[type]', 'Incident type, as `botctl recover` lists them.')
    .option('--scope <scope>', 'What it is about: cluster:3, shard:17, db:0, redis, bot. Absent: the open incident.')
    .option('--dry-run', 'Only say what would be done.')
    .option('--end-outage', 'End outage mode, and try the gateway at once.')
    .option('--json', 'Print JSON.')
    .action(act(async () => (await import('./commands/recover.js')).recover));
  defineIncidents(define, act, program);
  define(program, 'capacity', 'Look ahead: what is in use of which limit, when it is used up, what to change.', [
    'botctl capacity',
    'botctl capacity --plot',
    "botctl capacity --json | jq '.recommendations[].change'",
  ])
    .option('--json', 'Print JSON.')
    .option('--plot', 'With a curve of the last 30 days and of the next 30 for each limit.')
    .addHelpText('after', '\nExit codes: 0 no limit is near, 1 there is something to change, 3 not running.')
    .action(act(async () => (await import('./commands/capacity.js')).capacity));

  define(program, 'logs', 'Show the logs of the supervisor and of the bot.', [
    'botctl logs -n 50',
    'botctl logs -f --cluster 3',
    'botctl logs --json | jq .msg',
  ])
    .option('-f, --follow', 'Go on with new lines.')
    .option('-n, --lines <count>', 'How many of the last lines.', number(0, 1_000_000), 100)
    .option('--cluster <id>', 'Only of this cluster.', number(0, 100_000))
    .addOption(new Option('--level <level>', 'Only of this level and above.').choices(LEVELS))
    .option('--json', 'Print the lines as they are in the files.')
    .action(act(async () => (await import('./commands/logs.js')).logs));

  define(program, 'doctor', 'Check this machine and config: what would keep the bot from running well.', [
    'botctl doctor',
    'botctl doctor --offline --json',
  ])
    .option('--json', 'Print JSON.')
    .option('--offline', 'Ask nothing of Discord.')
    .action(act(async () => (await import('./commands/doctor.js')).doctor));

  define(program, 'init', 'Write a botctl.yaml for the bot in this folder.', ['botctl init', 'botctl init --yes'])
    .option('-y, --yes', 'Ask nothing; take what is found.')
    .option('--force', 'Overwrite an existing file.')
    .action(act(async () => (await import('./commands/init.js')).init));

  defineDeploy(define, act, program);
  defineMaintenance(define, act, program);
  defineConfig(define, act, program);
  defineDb(define, act, program);
  defineSandbox(define, act, program);

  program
    .command('completion')
    .addArgument(shellArgument())
    .description('Print a completion script for a shell.')
    .addHelpText('after', '\nExamples:\n  $ source <(botctl completion bash)\n  $ botctl completion fish | source\n')
    .action(
      act<CommonOptions & { argument: string }>(async () => {
        const { completion } = await import('./commands/completion.js');
        return (options) => Promise.resolve(completion(program, options, context));
      }),
    );

  return {
    command: program,
    async run(argv) {
      await program.parseAsync(argv);
      return exitCode;
    },
  };
}

/** The choices are for completion and help alone: another shell gets a better answer than commander's. */
function shellArgument(): Argument {
  const shell = new Argument('<shell>', 'The shell.');
  shell.argChoices = ['bash', 'zsh', 'fish'];
  return shell;
}

type Define = (parent: Command, signature: string, description: string, examples: readonly string[]) => Command;
type Act = <O extends CommonOptions>(load: () => Promise<Action<O>>) => (...args: unknown[]) => Promise<void>;

function defineMaintenance(define: Define, act: Act, program: Command): void {
  define(program, 'maintain', 'Show how the databases are looked after, or do it now.', [
    'botctl maintain                              # next and last runs',
    'botctl maintain --now --dry-run              # what would be done',
    'botctl maintain --now --task vacuum --task reindex',
  ])
    .option('--now', 'Do it now, for as long as the window is.')
    .option('--task <name>', 'Only this task; may be repeated. See: botctl maintain', names, [])
    .option('--dry-run', 'Only say what would be done.')
    .option('--force', 'Also while an incident or a rollout is under way.')
    .option('--json', 'Print JSON.')
    .action(act(async () => (await import('./commands/maintain.js')).maintain));

  const load = async () => import('./commands/backup.js');
  const backup = define(program, 'backup', 'Make, list and verify backups of all database shards.', [
    'botctl backup now',
    'botctl backup list',
    'botctl backup verify 20261125T020000Z',
  ]);
  define(backup, 'now', 'Make a backup, restore it for a trial, and remove old ones.', ['botctl backup now'])
    .option('--force', 'Also while an incident or a rollout is under way.')
    .action(act(async () => (await load()).backupNow));
  define(backup, 'list', 'List the backups. Exit code 1 when there is none that is whole.', [
    'botctl backup list',
    'botctl backup list --json | jq -r .backups[0].id',
  ])
    .option('--json', 'Print JSON.')
    .action(act(async () => (await load()).backupList));
  define(backup, 'verify', 'Restore a backup where it does no harm, and compare every table.', [
    'botctl backup verify                         # the newest',
    'botctl backup verify 20261125T020000Z --files',
  ])
    .argument('[id]', 'The backup; without it the newest.')
    .option('--files', 'Only whether the files are as they were written.')
    .action(act(async () => (await load()).backupVerify));

  define(program, 'restore', 'Restore a backup. What is there is never overwritten unasked.', [
    'botctl restore 20261125T020000Z --to ./look               # its content, as files',
    'botctl restore 20261125T020000Z --to postgres://me@host/copy --shard 2',
    'botctl restore 20261125T020000Z --to live --force         # with the bot stopped; a fresh backup is made first',
  ])
    .argument('<id>', 'The backup. See: botctl backup list')
    .addOption(
      new Option(
        '--to <target>',
        'A new folder, the URL of a database (password in PGPASSWORD), or live.',
      ).makeOptionMandatory(true),
    )
    .option('--shard <shard>', 'Only this database shard; needed with a URL.', number(0, 100_000))
    .option('--force', 'Take the place of what is there, after a fresh backup of it.')
    .action(act(async () => (await import('./commands/restore.js')).restore));
}

function names(text: string, list: string[]): string[] {
  return [...list, text];
}

function defineConfig(define: Define, act: Act, program: Command): void {
  const config = program.command('config').description('Check and show the config.').exitOverride();
  define(config, 'check', 'Check the config and say everything that is wrong with it.', ['botctl config check'])
    .option('--sandbox', 'As for `botctl start --sandbox`: no token is needed.')
    .action(act(async () => (await import('./commands/config.js')).check));
  define(config, 'show', 'Show the config with all defaults; secrets are hidden.', ['botctl config show --json'])
    .option('--json', 'Print JSON.')
    .option('--sandbox', 'As for `botctl start --sandbox`: no token is needed.')
    .action(act(async () => (await import('./commands/config.js')).show));
  define(config, 'schema', 'Print the JSON Schema, for editors.', ['botctl config schema > botctl.schema.json']).action(
    act(async () => (await import('./commands/config.js')).printSchema),
  );
}

function defineDeploy(define: Define, act: Act, program: Command): void {
  define(program, 'deploy', 'Make a release of the code and move the clusters to it, a few at a time.', [
    'botctl deploy                          # the folder of the bot',
    'botctl deploy --rolling /srv/builds/42',
    'botctl deploy --git v1.4.0 --build "npm ci && npm run build"',
    'botctl deploy --prepare                # make and check it, move nothing',
    'botctl deploy --pause                  # the rollout that is under way; --resume, --abort, --follow',
  ])
    .argument('[path]', 'Folder of the new code; else deploy.root.')
    .option('--rolling', 'A canary first, then in batches: what it does anyway.')
    .addOption(new Option('--all-at-once', 'Replace all clusters at the same time.').conflicts('rolling'))
    .option('--git <ref>', 'A commit, tag or branch of the repository instead of a folder.')
    .option('--build <command>', 'Builds the release, in its copy; instead of deploy.build.')
    .option('--no-build', 'Without deploy.build.')
    .option('--prepare', 'Make the release and check it; move nothing.')
    .option('--force', 'Deploy although an incident is open, a cluster is not ready, or room is short.')
    .option('--pause', 'Replace no further cluster for now.')
    .option('--resume', 'Go on.')
    .option('--abort', 'End the rollout and bring back what was moved.')
    .option('--follow', 'Look on at the rollout that is under way.')
    .action(act(async () => (await import('./commands/deploy.js')).deploy));
  define(program, 'rollback', 'Go back to the release before this one, or to one of those that are kept.', [
    'botctl rollback',
    'botctl rollback 3f9c0a1b2c4d',
    'botctl rollback live           # the folder of the bot',
  ])
    .argument('[release]', 'Its id, or the beginning of it.')
    .action(act(async () => (await import('./commands/rollback.js')).rollback));
  define(program, 'releases', 'Show the releases that are kept, and what was deployed when.', [
    'botctl releases',
    'botctl releases --json | jq .releases[0].id',
  ])
    .option('--json', 'Print JSON.')
    .action(act(async () => (await import('./commands/releases.js')).releases));
  define(program, 'scale', 'Group the shards into other clusters, or change their number, while they serve.', [
    'botctl scale --clusters 8',
    'botctl scale --shards-per-cluster 16',
    'botctl scale --shards 96       # each identifies, beside the old ones',
    'botctl scale --clusters 8 --dry-run',
  ])
    .addOption(new Option('--clusters <n>', 'So many, of as many shards each as can be.').argParser(number(1, 100_000)))
    .addOption(
      new Option('--shards-per-cluster <n>', 'Clusters of so many shards, the last one of the rest.')
        .argParser(number(1, 100_000))
        .conflicts('clusters'),
    )
    .addOption(new Option('--shards <n>', 'So many in all, over all clusters.').argParser(number(1, 100_000)))
    .option('--cold', 'Stop the old clusters before the new ones start: for a bot that cannot run twice.')
    .option('--dry-run', 'Only say what would be done.')
    .option('--force', 'Scale although an incident is open, a cluster is not ready, or memory is short.')
    .action(act(async () => (await import('./commands/scale.js')).scale));
  define(program, 'reload', 'Read the config again: clusters are replaced one by one where that is needed.', [
    'botctl reload',
  ]).action(act(async () => (await import('./commands/reload.js')).reload));
}

function defineDb(define: Define, act: Act, program: Command): void {
  const load = async () => import('./commands/db.js');
  const db = define(program, 'db', 'Look at the database shards, migrate them, move guilds.', [
    'botctl db status',
    'botctl db move-guild 81384788765712384 --to 2',
  ]);
  define(db, 'status', 'Show the database shards, their connections, moves and migrations.', [
    'botctl db status',
    'botctl db status --json | jq .moves',
  ])
    .option('--json', 'Print JSON.')
    .action(act(async () => (await load()).dbStatus));
  define(db, 'migrate', 'Apply the migrations of postgres.migrations to every database shard.', [
    'botctl db migrate',
  ]).action(act(async () => (await load()).migrate));
  define(db, 'move-guild', 'Move a guild to another database shard while it is written to.', [
    'botctl db move-guild 81384788765712384 --to 2',
  ])
    .argument('<guild>', "The guild's id.")
    .addOption(
      new Option('--to <shard>', 'The database shard.').argParser(number(0, 100_000)).makeOptionMandatory(true),
    )
    .action(act(async () => (await load()).moveGuild));
  define(db, 'abort-move', 'Take an unfinished move of a guild back.', ['botctl db abort-move 81384788765712384'])
    .argument('<guild>', "The guild's id.")
    .action(act(async () => (await load()).abortMove));
  define(db, 'rebalance', 'Move guilds until all database shards hold equally many, for example after adding one.', [
    'botctl db rebalance --dry-run',
    'botctl db rebalance',
    'botctl db rebalance --drain 3   # before database shard 3 is given up',
  ])
    .option('--drain <shard>', 'This database shard shall hold none afterwards; may be repeated.', collect, [])
    .option('--dry-run', 'Only say what would be moved.')
    .action(act(async () => (await load()).rebalance));
}

function defineIncidents(define: Define, act: Act, program: Command): void {
  const load = async () => import('./commands/incidents.js');
  const incidents = define(program, 'incidents', 'Show what went wrong, and say that you know of it.', [
    'botctl incidents',
    'botctl incidents show k3f9',
    'botctl incidents ack k3f9',
  ]);
  define(incidents, 'list', 'Show open incidents. Exit code 0: none is open, 1: some are, 3: not running.', [
    'botctl incidents list',
    'botctl incidents list --since 7d',
    'botctl incidents list --json | jq .incidents[].rule',
  ])
    .option('--all', 'Those of the last 7 days, too.')
    .option('--since <duration>', 'Those of so long, too, such as 12h or 30d.')
    .option('--limit <count>', 'Only so many, the latest first.', number(1, 10_000))
    .option('--json', 'Print JSON.')
    .action(act(async () => (await load()).list));
  define(incidents, 'show', 'Show an incident with its timeline.', [
    'botctl incidents show 261125-k3f9',
    'botctl incidents show k3f9 --report > post-mortem.md',
  ])
    .argument('<id>', 'Its id, or the end of it.')
    .option('--report', 'Print a post-mortem in Markdown: timeline, metrics before and after, actions.')
    .option('--json', 'Print JSON.')
    .action(act(async () => (await load()).show));
  define(incidents, 'ack', 'Say that you know of an incident.', ['botctl incidents ack k3f9'])
    .argument('<id>', 'Its id, or the end of it.')
    .action(act(async () => (await load()).acknowledge));
  define(incidents, 'silence', 'Tell nobody of an incident for a while, or of all of a type or scope.', [
    'botctl incidents silence k3f9 --for 2h',
    'botctl incidents silence --type database-down --for 30m --reason "move to a new server"',
    'botctl incidents silence --scope cluster:3 --for 1d',
    'botctl incidents silence k3f9 --end',
  ])
    .argument('[id]', 'Its id, or the end of it; with --end also that of a silence.')
    .option('--for <duration>', 'For how long. Default: 1h.')
    .option('--type <type>', 'All of this type.')
    .option('--scope <scope>', 'All of this scope, such as bot, cluster:3 or db:0.')
    .option('--reason <text>', 'Why; for others to see.')
    .option('--end', 'It is told again.')
    .action(act(async () => (await load()).silence));
  define(incidents, 'silences', 'Show what is silenced by type or scope.', ['botctl incidents silences'])
    .option('--json', 'Print JSON.')
    .action(act(async () => (await load()).silences));
  define(incidents, 'resolve', 'Call an incident over. It comes back only after its condition has gone away once.', [
    'botctl incidents resolve k3f9',
  ])
    .argument('<id>', 'Its id, or the end of it.')
    .action(act(async () => (await load()).resolve));
  define(incidents, 'test-notify', 'Send a test message to those who are told of incidents.', [
    'botctl incidents test-notify',
    'botctl incidents test-notify pagerduty',
  ])
    .argument('[target]', 'Only this one: its name, else its kind.')
    .action(act(async () => (await load()).testNotify));
  incidents
    .option('--all', 'As `incidents list --all`.')
    .option('--since <duration>', 'As `incidents list --since`.')
    .option('--json', 'Print JSON.')
    .action(act(async () => (await load()).list));
}

function collect(text: string, list: number[]): number[] {
  return [...list, number(0, 100_000)(text)];
}

function condition(text: string, list: string[]): string[] {
  if (!/^[a-zA-Z_]\w*=/.test(text))
    throw new InvalidArgumentError('Expected a label and its value, such as cluster=3.');
  return [...list, text];
}

function defineSandbox(define: Define, act: Act, program: Command): void {
  const load = async () => import('./commands/sandbox.js');
  const sandbox = define(program, 'sandbox', 'Run a Discord on loopback, or give orders to the one that runs.', [
    'botctl sandbox --guilds 1000 --shards 16',
    'botctl sandbox drop --shard 3 --code 4000',
    'botctl sandbox report --json',
  ])
    .option('--guilds <count>', 'Guilds.', number(0, 1_000_000))
    .option('--shards <count>', 'Shards to recommend.', number(1, 10_000))
    .option('--max-concurrency <count>', 'Identify buckets.', number(1, 1_000))
    .option('--identify-interval <ms>', 'Time between two identifies of one bucket.', number(0, 60_000))
    .option('--rate <events>', 'Events per second that the bot should answer.', number(0, 100_000))
    .option('--port <port>', 'Port to listen on; 0: any free one.', number(0, 65_535))
    .action(act(async () => (await load()).run));

  const order = (name: string, description: string, example: string): Command =>
    define(sandbox, name, description, [`botctl sandbox ${example}`]).option(
      '--url <url>',
      'REST address of the sandbox.',
    );
  const fault = (name: string, description: string, example: string): Command =>
    order(name, description, example).action(act(async () => (await load()).faultNamed(name)));

  order('report', 'Show what the sandbox has seen.', 'report')
    .option('--json', 'Print JSON.')
    .action(act(async () => (await load()).report));
  order('rate', 'Set the events per second.', 'rate 200')
    .argument('<events>', 'Events per second.', number(0, 100_000))
    .action(act(async () => (await load()).rate));
  fault('drop', 'Close connections.', 'drop --shard 3 --code 4000')
    .option('--shard <id>', 'Only this shard.', number(0, 100_000))
    .option('--code <code>', 'Close code.', number(1_000, 4_999))
    .option('--terminate', 'End the TCP connection instead.');
  fault('invalidate', 'Declare sessions invalid (op 9).', 'invalidate --shard 3')
    .option('--shard <id>', 'Only this shard.', number(0, 100_000))
    .option('--resumable', 'Say that they may be resumed.');
  fault('reconnect', 'Ask for a reconnect (op 7).', 'reconnect').option(
    '--shard <id>',
    'Only this shard.',
    number(0, 100_000),
  );
  fault('deaf', 'Answer nothing, heartbeats included.', 'deaf --shard 3 --seconds 60')
    .option('--shard <id>', 'Only this shard.', number(0, 100_000))
    .option('--seconds <seconds>', 'For how long.', number(0, 86_400));
  fault('refuse', 'Refuse connections to the gateway.', 'refuse --seconds 30')
    .option('--seconds <seconds>', 'For how long.', number(0, 86_400))
    .option('--code <code>', 'Accept, then close with this code.', number(1_000, 4_999));
  fault('outage', 'Drop everything and refuse everything, REST too.', 'outage --seconds 20 --forget-sessions')
    .option('--seconds <seconds>', 'For how long.', number(0, 86_400))
    .option('--forget-sessions', 'No session can be resumed afterwards.');
  fault('latency', 'Answer late.', 'latency --ms 500 --seconds 60')
    .option('--ms <ms>', 'How late.', number(0, 60_000))
    .option('--seconds <seconds>', 'For how long.', number(0, 86_400));
  fault('rest-error', 'Fail REST requests.', 'rest-error --status 500 --seconds 10')
    .option('--status <status>', 'HTTP status.', number(400, 599))
    .option('--count <count>', 'How many requests.', number(0, 1_000_000))
    .option('--seconds <seconds>', 'For how long.', number(0, 86_400));
  fault('rest-slow', 'Answer REST requests late.', 'rest-slow --ms 5000 --seconds 60')
    .option('--ms <ms>', 'How late.', number(0, 600_000))
    .option('--seconds <seconds>', 'For how long.', number(0, 86_400));
  fault('rest-429', 'Answer every REST request with 429.', 'rest-429 --seconds 30').option(
    '--seconds <seconds>',
    'For how long.',
    number(0, 86_400),
  );
  fault('guild-outage', 'Make guilds unavailable.', 'guild-outage --guilds 50 --seconds 30')
    .option('--guilds <count>', 'How many.', number(1, 1_000_000))
    .option('--seconds <seconds>', 'For how long.', number(0, 86_400));
  fault('close-on-identify', 'Answer IDENTIFY by closing.', 'close-on-identify --code 4014')
    .option('--code <code>', 'Close code.', number(4_000, 4_999))
    .option('--count <count>', 'How many; 0: none any more.', number(0, 1_000_000));
}

function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < min || value > max) {
      throw new InvalidArgumentError(`Expected a number from ${min} to ${max}.`);
    }
    return value;
  };
}

const EXAMPLES = `
Examples:
  $ botctl init                  # make a config for the bot in this folder
  $ botctl start --sandbox       # try it without a token
  $ botctl start --detach        # run it
  $ botctl status --watch        # look at it

Exit codes: 0 well, 1 degraded or failed, 2 wrong usage or config, 3 not running.`;
