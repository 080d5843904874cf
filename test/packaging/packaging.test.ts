import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

const ROOT = resolve(__dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

interface Instruction {
  name: string;
  text: string;
}

/** Instructions of a Dockerfile, continuation lines joined, comments dropped. */
function instructionsOf(dockerfile: string): Instruction[] {
  return dockerfile
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ name: line.split(/\s+/, 1)[0] ?? '', text: line.slice(line.indexOf(' ') + 1).trim() }));
}

describe('Dockerfile', () => {
  const all = instructionsOf(read('Dockerfile'));
  const of = (name: string): string[] => all.filter((instruction) => instruction.name === name).map(({ text }) => text);

  it('has only instructions that exist', () => {
    const known = 'FROM WORKDIR COPY RUN ENV USER VOLUME STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD'.split(' ');
    expect(all.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
  });

  it('builds in one stage and runs in another, with images of a fixed major version', () => {
    expect(of('FROM')).toHaveLength(2);
    for (const image of of('FROM')) expect(image).toMatch(/^node:\d+-[\w-]+/);
    expect(of('COPY').filter((text) => text.startsWith('--from=build'))).not.toHaveLength(0);
  });

  it('copies only what exists', () => {
    const sources = of('COPY')
      .filter((text) => !text.startsWith('--from'))
      .flatMap((text) => text.split(/\s+/).slice(0, -1));
    expect(sources.length).toBeGreaterThan(4);
    for (const source of sources) expect([source, existsSync(join(ROOT, source))]).toEqual([source, true]);
    // And nothing of it is kept out of the build by .dockerignore.
    const ignored = read('.dockerignore').split('\n');
    for (const source of sources) expect(ignored).not.toContain(source.replace(/^\.\//, ''));
  });

  it('runs as a user who is not root, under tini, with graceful stop and health check', () => {
    expect(of('USER')).toEqual(['node']);
    const user = all.findIndex(({ name }) => name === 'USER');
    expect(user).toBeLessThan(all.findIndex(({ name }) => name === 'ENTRYPOINT'));
    expect(JSON.parse(of('ENTRYPOINT')[0] ?? '')).toEqual(['tini', '--', 'botctl']);
    expect(of('STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(of('HEALTHCHECK')[0]).toContain('CMD ["botctl", "health", "--live"]');
  });

  it('keeps the rules by which such files are linted', () => {
    // apt: only what is named, and no lists left behind in the layer.
    for (const run of of('RUN').filter((text) => text.includes('apt-get install'))) {
      expect(run).toContain('apt-get update');
      expect(run).toContain('--no-install-recommends');
      expect(run).toContain('rm -rf /var/lib/apt/lists/*');
      expect(run).toMatch(/install -y /);
    }
    expect(of('RUN').filter((text) => /\b(sudo|cd|wget|curl)\b/.test(text))).toEqual([]);
    expect(of('WORKDIR').filter((path) => !path.startsWith('/'))).toEqual([]);
    // As lists: a shell between tini and botctl would swallow signals.
    for (const text of [...of('ENTRYPOINT'), ...of('CMD')]) expect(Array.isArray(JSON.parse(text))).toBe(true);
    for (const name of ['ENTRYPOINT', 'CMD', 'HEALTHCHECK', 'USER']) expect(of(name)).toHaveLength(1);
    // Stages that are copied from exist.
    const stages = of('FROM').flatMap((text) => / AS (\w+)$/.exec(text)?.[1] ?? []);
    const from = of('COPY').flatMap((text) => /--from=(\S+)/.exec(text)?.[1] ?? []);
    expect(from.filter((stage) => !stages.includes(stage))).toEqual([]);
    // The image runs what the lock file says, without what only development needs.
    expect(of('RUN').join()).toMatch(/npm ci .*npm prune --omit=dev/);
  });

  it('has no secret in a layer', () => {
    expect(
      all.filter(({ name, text }) => ['ENV', 'ARG'].includes(name) && /token|password|secret/i.test(text)),
    ).toEqual([]);
  });

  it('makes executable what package.json calls botctl', () => {
    const { bin } = JSON.parse(read('package.json')) as { bin: { botctl: string } };
    expect(of('RUN').join()).toContain(`/botctl/${bin.botctl} /usr/local/bin/botctl`);
  });
});

describe('compose file', () => {
  interface Compose {
    services: Record<
      string,
      { secrets?: string[]; depends_on?: Record<string, { condition: string }>; healthcheck?: object }
    >;
    secrets: Record<string, { file: string }>;
  }
  const compose = parse(read('config/compose.yaml')) as Compose;

  it('declares every secret that it uses, and waits only for what has a health check', () => {
    for (const { secrets = [], depends_on = {} } of Object.values(compose.services)) {
      for (const secret of secrets) expect(Object.keys(compose.secrets)).toContain(secret);
      for (const [service, { condition }] of Object.entries(depends_on)) {
        expect(condition).toBe('service_healthy');
        expect(compose.services[service]?.healthcheck).toBeDefined();
      }
    }
  });

  it('holds no password itself', () => {
    expect(read('config/compose.yaml')).not.toMatch(/:\/\/[^\s:@]*:[^\s@]+@/);
  });
});

describe('systemd unit', () => {
  const unit = read('config/systemd/botctl.service');

  it('leaves the clusters to the next supervisor, and waits long enough for a graceful stop', () => {
    expect(unit).toMatch(/^KillMode=process$/m);
    expect(unit).toMatch(/^Type=notify$/m);
    expect(unit).toMatch(/^NotifyAccess=all$/m);
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(30);
    expect(Number(/^RestartSec=(\d+)$/m.exec(unit)?.[1])).toBeLessThan(60);
    expect(unit).not.toMatch(/DISCORD_TOKEN=/);
  });

  it('has only sections and lines that systemd can read', () => {
    const lines = unit.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines.filter((line) => !/^(\[(Unit|Service|Install)\]|[A-Z]\w+=.+)$/.test(line))).toEqual([]);
  });
});

describe('package', () => {
  it('runs as a command, from what it publishes', () => {
    const { bin, exports, files } = JSON.parse(read('package.json')) as {
      bin: { botctl: string };
      exports: Record<string, { default: string } | string>;
      files: string[];
    };
    const targets = [
      bin.botctl,
      ...Object.values(exports).flatMap((entry) => (typeof entry === 'string' ? [] : [entry.default])),
    ];
    for (const target of targets) {
      expect(statSync(join(ROOT, target)).isFile()).toBe(true);
      expect(files.some((folder) => target.replace(/^\.\//, '').startsWith(folder))).toBe(true);
    }
    const { stdout } = spawnSync(process.execPath, [join(ROOT, bin.botctl), '--version'], { encoding: 'utf8' });
    expect(stdout).toBe(`${(JSON.parse(read('package.json')) as { version: string }).version}\n`);
  });

  it('has a lock file without addresses', () => {
    expect(read('package-lock.json')).not.toMatch(/"resolved": "http/);
  });
});
