import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../src/config';
import { locateState, type Located } from '../../src/config/locate';

describe('locateState', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'botctl-locate-'))));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  function locate(yaml: string, env: NodeJS.ProcessEnv = {}): Promise<Located> {
    writeFileSync(join(dir, 'botctl.yaml'), yaml);
    return locateState({ cwd: dir, env });
  }

  it.each([
    ['without the key', 'bot: { name: x }\n', '.botctl'],
    ['plain', 'stateDir: state # here\n', 'state'],
    ['quoted', "stateDir: './my-state'\n", 'my-state'],
    ['from a variable', 'stateDir: "${STATE:-fallback}"\n', 'fallback'],
    ['in JSON style', '{ stateDir: "a b" }\n', 'a b'],
    ['in a comment only', '# stateDir: other\nbot: {}\n', '.botctl'],
    ['nested elsewhere', 'bot:\n  env:\n    stateDir: other\n', '.botctl'],
  ])('finds the state folder %s', async (_, yaml, expected) => {
    expect((await locate(yaml)).stateDir).toBe(join(dir, expected));
  });

  it('is content with a config whose other parts are broken', async () => {
    const located = await locate('stateDir: state\nnonsense: [\n');
    expect(located.stateDir).toBe(join(dir, 'state'));
    expect(await located.readName()).toBe('bot');
  });

  it('reads the name', async () => {
    expect(await (await locate('bot: { name: "${NAME}" }\n', { NAME: 'my-bot' })).readName()).toBe('my-bot');
  });

  it('says that there is no config', async () => {
    const error: unknown = await locateState({ cwd: dir, env: {} }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toBe(
      `${dir}: no botctl.yaml here, nor in a folder above. Make one with \`botctl init\`, or name it with --config FILE`,
    );
  });

  it('is content with an alias of nothing elsewhere', async () => {
    const located = await locate('http: *nope\nstateDir: "a b"\nbot: { name: mine }\n');
    expect(located.stateDir).toBe(join(dir, 'a b'));
    expect(await located.readName()).toBe('mine');
  });
});
