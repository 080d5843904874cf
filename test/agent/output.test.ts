import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boundOutput, rotateOutput } from '../../src/agent/output';

describe('output files', () => {
  let dir: string;
  const file = (): string => join(dir, 'out.log');
  const text = (base64: string): string => Buffer.from(base64, 'base64').toString();

  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'botctl-output-'))));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('are emptied, and what was not read yet is handed back', () => {
    writeFileSync(file(), 'read already, not read yet');
    const { ok, tail } = rotateOutput(dir, 'out', 'read already'.length);
    expect(ok).toBe(true);
    expect(text(tail)).toBe(', not read yet');
    appendFileSync(file(), 'next');
    expect(readFileSync(file(), 'utf8')).toBe('next');
  });

  it('are left alone when more was read than there is, or the tail is too long', () => {
    writeFileSync(file(), 'short');
    expect(rotateOutput(dir, 'out', 100)).toEqual({ ok: false, tail: '' });
    writeFileSync(file(), Buffer.alloc(5 * 1024 * 1024));
    expect(rotateOutput(dir, 'out', 0)).toEqual({ ok: false, tail: '' });
    expect(statSync(file()).size).toBe(5 * 1024 * 1024);
  });

  it('may be missing', () => {
    expect(rotateOutput(dir, 'err', 0)).toEqual({ ok: false, tail: '' });
    expect(() => boundOutput(dir, 1)).not.toThrow();
  });

  it('do not grow beyond the bound when nobody reads them', () => {
    writeFileSync(file(), 'x'.repeat(100));
    boundOutput(dir, 100);
    expect(statSync(file()).size).toBe(100);
    boundOutput(dir, 99);
    expect(statSync(file()).size).toBe(0);
  });
});
