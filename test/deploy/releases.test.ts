import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { makeRelease, type Made, type MakeOptions } from '../../src/deploy/releases/make';
import { LIVE } from '../../src/deploy/releases/release';
import { ReleaseStore } from '../../src/deploy/releases/store';
import { processStartTime } from '../../src/ipc/process-start-time';
import { until } from '../support/until';

describe('releases', () => {
  let dir: string;
  let root: string;
  let stateDir: string;
  let store: ReleaseStore;
  let said: string[];
  let printed: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'botctl-releases-'));
    root = join(dir, 'bot');
    stateDir = join(root, '.botctl');
    store = new ReleaseStore(stateDir);
    said = [];
    printed = '';
    put('bot.js', 'console.log(1)');
    put('package.json', '{"version":"1.2.3"}');
    put('lib/a.js', 'a');
    put('node_modules/pkg/index.js', 'pkg');
    put('node_modules/.package-lock.json', '{"lockfileVersion":3}');
  });
  afterEach(() => {
    execFileSync('chmod', ['-R', 'u+w', dir]);
    rmSync(dir, { recursive: true, force: true });
  });

  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const make = (change: Partial<MakeOptions> = {}): Promise<Made> => {
    const output = new PassThrough();
    output.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    return makeRelease({
      store,
      project: { root, entry: join(root, 'bot.js'), cwd: root },
      source: { kind: 'folder', path: root },
      build: null,
      buildEnv: { PATH: process.env['PATH'] },
      output: { stdout: output, stderr: output },
      shared: ['.env'],
      without: [stateDir],
      now: Date.now,
      signal: new AbortController().signal,
      say: (text) => said.push(text),
      ...change,
    });
  };
  const inRelease = ({ release }: Made, path: string): string => join(store.appDir(release.id), path);
  const textOf = (made: Made, path: string): string => readFileSync(inRelease(made, path), 'utf8');
  const leftovers = (): string[] => readdirSync(store.dir).filter((name) => name.startsWith('.'));
  const git = (...args: string[]): void => {
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t.example', ...args], { cwd: root, stdio: 'ignore' });
  };

  it('are named by what is in them', async () => {
    const first = await make();
    expect(first).toMatchObject({ isNew: true, release: { entry: 'bot.js', cwd: '.', version: '1.2.3', files: 5 } });
    expect(await make()).toEqual({ release: first.release, isNew: false });
    put('lib/a.js', 'b');
    const second = await make();
    expect(second.release.id).not.toBe(first.release.id);
    put('lib/a.js', 'a');
    expect((await make()).release.id).toBe(first.release.id);
    expect(store.list().map(({ id }) => id)).toEqual([second.release.id, first.release.id]);
    expect(leftovers()).toEqual([]);
  });

  it('do not change when the code is edited in place', async () => {
    const made = await make();
    put('bot.js', 'console.log(2)');
    expect(textOf(made, 'bot.js')).toBe('console.log(1)');
    expect(await store.damage(made.release)).toBeNull();
  });

  it('cannot be written to, and say so when somebody did', async () => {
    const made = await make();
    expect(statSync(inRelease(made, 'bot.js')).mode & 0o222).toBe(0);
    expect(statSync(inRelease(made, 'lib')).mode & 0o222).toBe(0);
    chmodSync(inRelease(made, 'bot.js'), 0o644);
    writeFileSync(inRelease(made, 'bot.js'), 'console.log(3)');
    expect(await store.damage(made.release)).toMatch(/is not what it was when it was made/);
    rmSync(join(store.dir, made.release.id, 'release.json'));
    expect(store.get(made.release.id)).toBeNull();
  });

  it('share installed packages instead of copying them', async () => {
    const first = await make();
    const inode = (path: string): number => statSync(path).ino;
    const blocks = inode(inRelease(first, 'node_modules/pkg/index.js'));
    const own = inode(join(root, 'node_modules/pkg/index.js'));
    const reflinks = blocks !== own;
    put('bot.js', 'console.log(2)');
    const second = await make();
    if (!reflinks) expect(inode(inRelease(second, 'node_modules/pkg/index.js'))).toBe(blocks);
    // A package manager replaces a file; releases keep theirs.
    rmSync(join(root, 'node_modules/pkg/index.js'));
    put('node_modules/pkg/index.js', 'newer');
    put('node_modules/.package-lock.json', '{"lockfileVersion":3,"newer":true}');
    const third = await make();
    expect([textOf(first, 'node_modules/pkg/index.js'), textOf(third, 'node_modules/pkg/index.js')]).toEqual([
      'pkg',
      'newer',
    ]);
  });

  it('a build may change packages in place without changing those that are installed', async () => {
    const made = await make({ build: 'echo building; echo patched > node_modules/pkg/index.js; echo built > dist.js' });
    expect(textOf(made, 'node_modules/pkg/index.js')).toBe('patched\n');
    expect(readFileSync(join(root, 'node_modules/pkg/index.js'), 'utf8')).toBe('pkg');
    expect([textOf(made, 'dist.js'), printed]).toEqual(['built\n', 'building\n']);
    expect(await store.damage(made.release)).toBeNull();
  });

  it('a build that fails leaves nothing behind, and shows what it printed', async () => {
    await expect(make({ build: 'echo no compiler >&2; exit 3' })).rejects.toThrow(
      'the build failed (exit code 3): echo no compiler >&2; exit 3',
    );
    expect(printed).toBe('no compiler\n');
    expect(store.list()).toEqual([]);
    expect(leftovers()).toEqual([]);
  });

  it('a build is ended with all that it started', async () => {
    const stop = new AbortController();
    const pidFile = join(dir, 'pid');
    const making = make({ build: `sleep 600 & echo $! > ${pidFile}; wait`, signal: stop.signal });
    await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '');
    const pid = Number(readFileSync(pidFile, 'utf8'));
    stop.abort();
    await expect(making).rejects.toThrow();
    await until(() => processStartTime(pid) === null);
    expect(leftovers()).toEqual([]);
  });

  it('leave out repositories, the state folder, what .botctlignore names, and what cannot be copied', async () => {
    put('.git/HEAD', 'ref');
    put('.botctl/secret', 'x');
    put('cache/big', 'x');
    put('.botctlignore', 'cache/\n*.tmp\n');
    put('a.tmp', 'x');
    execFileSync('mkfifo', [join(root, 'fifo')]);
    const made = await make();
    expect(readdirSync(store.appDir(made.release.id)).sort()).toEqual([
      '.botctlignore',
      '.env',
      'bot.js',
      'lib',
      'node_modules',
      'package.json',
    ]);
  });

  it('keep links that stay inside, and say where one leads out', async () => {
    symlinkSync('lib', join(root, 'inside'));
    symlinkSync(join(root, 'lib/a.js'), join(root, 'absolute.js'));
    symlinkSync('..', join(root, 'out'));
    symlinkSync('nowhere', join(root, 'dangling'));
    symlinkSync('.', join(root, 'lib/loop'));
    const made = await make();
    expect(readlinkSync(inRelease(made, 'inside'))).toBe('lib');
    expect(readlinkSync(inRelease(made, 'absolute.js'))).toBe('lib/a.js');
    expect(readlinkSync(inRelease(made, 'out'))).toBe(dir);
    expect(readlinkSync(inRelease(made, 'dangling'))).toBe('nowhere');
    expect(said.filter((line) => line.includes('leads out'))).toEqual([
      `out leads out of the folder, to ${dir}: all releases share what is there`,
    ]);
    expect(await store.damage(made.release)).toBeNull();
  });

  it('share what deploy.shared names, also when it is not there yet', async () => {
    put('data.sqlite', 'rows');
    const made = await make({ shared: ['data.sqlite', 'logs'] });
    expect(lstatSync(inRelease(made, 'data.sqlite')).isSymbolicLink()).toBe(true);
    writeFileSync(inRelease(made, 'logs'), 'line');
    expect(readFileSync(join(root, 'logs'), 'utf8')).toBe('line');
    await expect(make({ shared: ['../else'] })).rejects.toThrow(/deploy\.shared: \.\.\/else is not below/);
  });

  it('warn of what looks as if the bot wrote it', async () => {
    put('data.sqlite', 'rows');
    await make();
    expect(said.join()).toMatch(/data\.sqlite is now part of the release: .*deploy\.shared/);
  });

  it('of a folder that changes all the time are not made', async () => {
    const changing = make({
      say: (text) => {
        if (text.startsWith('copying')) put('lib/new.js', String(Math.random()));
      },
    });
    await expect(changing).rejects.toThrow('lib/new.js changed while the release was made');
    expect(leftovers()).toEqual([]);
  });

  it('without the entry are refused with what to do', async () => {
    await expect(make({ project: { root, entry: join(root, 'dist/bot.js'), cwd: root } })).rejects.toMatchObject({
      message: 'the release has no dist/bot.js, which is bot.entry',
      hint: expect.stringContaining('--build') as string,
    });
    await expect(make({ project: { root, entry: '/elsewhere/bot.js', cwd: root } })).rejects.toThrow(/is not below/);
    await expect(make({ source: { kind: 'folder', path: join(dir, 'none') } })).rejects.toThrow(/there is no folder/);
  });

  it('of a commit do not touch the working tree, and take the packages that are installed', async () => {
    put('.gitignore', 'node_modules\n.botctl\n');
    put('package-lock.json', '1');
    git('init', '-q');
    git('add', '.');
    git('commit', '-qm', 'First of all');
    put('bot.js', 'console.log("not committed")');
    const made = await make({ source: { kind: 'git', ref: 'HEAD' } });
    expect(textOf(made, 'bot.js')).toBe('console.log(1)');
    expect(textOf(made, 'node_modules/pkg/index.js')).toBe('pkg');
    expect(made.release.source).toMatchObject({ kind: 'git', ref: 'HEAD', subject: 'First of all' });
    expect(readFileSync(join(root, 'bot.js'), 'utf8')).toContain('not committed');
    await expect(make({ source: { kind: 'git', ref: '--upload-pack=x' } })).rejects.toThrow(/git knows no commit/);
    put('package-lock.json', '2');
    await expect(make({ source: { kind: 'git', ref: 'HEAD' } })).rejects.toMatchObject({
      message: expect.stringContaining('lock file of this commit differs') as string,
      hint: expect.stringContaining('npm ci') as string,
    });
    rmSync(join(root, '.git'), { recursive: true });
    await expect(make({ source: { kind: 'git', ref: 'HEAD' } })).rejects.toThrow(/is not in a git repository/);
  });

  it('that are old go, but never one in use, current, or the one before', async () => {
    const ids: string[] = [];
    for (let version = 0; version < 6; version++) {
      put('bot.js', `console.log(${version})`);
      ids.push((await make({ now: () => version })).release.id);
    }
    const [oldest = '', second = '', third = '', fourth = '', fifth = '', newest = ''] = ids;
    store.setCurrent(oldest, 1);
    store.setCurrent(second, 2);
    expect(store.current).toEqual({ current: second, previous: oldest, since: 2 });
    expect(await store.prune(2, new Set([third]))).toEqual([fourth]);
    expect(store.list().map(({ id }) => id)).toEqual([newest, fifth, third, second, oldest]);
    expect(leftovers()).toEqual([]);
    expect(() => store.find('zzz')).toThrow('there is no release zzz');
    expect(store.find(newest.slice(0, 8)).id).toBe(newest);
  });

  it('that a killed process left half made are swept away, those of a living one are not', async () => {
    const mine = await store.draft();
    mkdirSync(join(store.dir, '.new-999999999-1-abcdef'));
    await make();
    expect(leftovers()).toEqual([mine.split('/').at(-1)]);
  });

  it('nothing deployed: the bot runs from its own folder', () => {
    expect(store.current).toEqual({ current: LIVE, previous: null, since: 0 });
    expect(store.list()).toEqual([]);
  });
});
