import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { postgresAccount } from '../../../src/data/embedded/account';
import { findPostgresBinaries, layLinks, machineSources, npmSources } from '../../../src/data/embedded/binaries';
import type { BinarySearch } from '../../../src/data/embedded/binaries';

let base: string;
let search: BinarySearch;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'botctl-binaries-'));
  chmodSync(base, 0o755);
  search = { dataMajor: null, account: postgresAccount(), copyTo: join(base, 'copies') };
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** A package with programs that say they are some version, and one link to lay. */
function fakePackage(dir: string, version: string): string {
  const bin = join(dir, 'native', 'bin');
  mkdirSync(bin, { recursive: true });
  mkdirSync(join(dir, 'native', 'lib'));
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ version }));
  writeFileSync(join(dir, 'native', 'lib', 'libx.so.1.2'), 'x');
  const links = [{ source: 'native/lib/libx.so.1.2', target: 'native/lib/libx.so.1' }];
  writeFileSync(join(dir, 'native', 'pg-symlinks.json'), JSON.stringify(links));
  program(bin, 'postgres', `echo 'postgres (PostgreSQL) ${version}'`);
  program(bin, 'initdb', 'exit 0');
  return bin;
}

function program(bin: string, name: string, text: string): void {
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

test('the npm package comes first and runs here', async () => {
  const found = await findPostgresBinaries(search);
  expect(found.major).toBeGreaterThanOrEqual(18);
  expect(npmSources()).toHaveLength(1);
});

test('lays the links of a package once, by however many starters', () => {
  const packageDir = join(base, 'package');
  fakePackage(packageDir, '18.4');
  expect(layLinks(packageDir)).toBe(true);
  expect(layLinks(packageDir)).toBe(true);
  const link = join(packageDir, 'native', 'lib', 'libx.so.1');
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(link, 'utf8')).toBe('x');
});

const rootTest = postgresAccount() === null ? test.skip : test; // only root runs it as somebody else
rootTest('a package out of reach for the server is copied whole, its folders left closed', async () => {
  const closed = join(base, 'closed');
  const packageDir = join(closed, 'linux-x64');
  const bin = fakePackage(packageDir, '18.4');
  chmodSync(closed, 0o700);
  const sources = [() => [{ bin, packageDir }]];
  const found = await Promise.all([1, 2].map(() => findPostgresBinaries({ ...search, sources })));
  for (const { bin: place } of found) {
    expect(dirname(dirname(dirname(place)))).toBe(search.copyTo);
    expect(readFileSync(join(place, '..', 'lib', 'libx.so.1'), 'utf8')).toBe('x');
  }
  expect(readdirSync(search.copyTo)).toHaveLength(1);
  expect(lstatSync(closed).mode & 0o777).toBe(0o700);
  expect(existsSync(join(packageDir, 'native', 'lib', 'libx.so.1'))).toBe(false);
});

test('prefers the version of the data over the order', async () => {
  const bins = ['18.4', '15.10'].map((version) => ({ bin: fakePackage(join(base, version), version) }));
  const sources = [() => bins];
  await expect(findPostgresBinaries({ ...search, sources })).resolves.toMatchObject({ version: '18.4', major: 18 });
  await expect(findPostgresBinaries({ ...search, sources, dataMajor: 15 })).resolves.toMatchObject({ major: 15 });
  await expect(findPostgresBinaries({ ...search, sources, dataMajor: 19 })).rejects.toMatchObject({
    code: 'EMBEDDED_VERSION',
    message: expect.stringMatching(/Postgres 19, but only 18\.4, 15\.10/) as string,
  });
});

test('skips what does not run and says why when nothing is left', async () => {
  const broken = join(base, 'broken');
  program(broken, 'postgres', 'echo "libicu.so.60: cannot open shared object file" >&2; exit 127');
  program(broken, 'initdb', 'exit 0');
  const sources = [() => [{ bin: join(base, 'absent') }, { bin: broken }]];
  await expect(findPostgresBinaries({ ...search, sources })).rejects.toMatchObject({
    code: 'EMBEDDED_NO_BINARIES',
    message: expect.stringMatching(/absent: ENOENT; .*broken: libicu\.so\.60: cannot open/) as string,
  });
  const good = fakePackage(join(base, 'good'), '17.2');
  const both = [...sources, () => [{ bin: good }]];
  await expect(findPostgresBinaries({ ...search, sources: both })).resolves.toMatchObject({ bin: good });
});

test('finds installations on PATH', () => {
  const bin = join(base, 'on-path');
  program(bin, 'postgres', 'exit 0');
  const path = process.env['PATH'];
  process.env['PATH'] = bin;
  try {
    expect(machineSources()).toContainEqual({ bin });
  } finally {
    process.env['PATH'] = path;
  }
});
