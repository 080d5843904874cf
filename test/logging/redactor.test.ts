import { Redactor } from '../../src/logging/redactor';

const TOKEN = 'MTE4.GabcDe.s3cr3t/with+odd"chars\\and=more';

describe('Redactor', () => {
  const redactor = new Redactor([TOKEN]);
  const basic = (prefix: string): string => Buffer.from(prefix + TOKEN).toString('base64');

  test.each([
    ['as it is', `login(${TOKEN}) failed`],
    ['in JSON', JSON.stringify({ token: TOKEN })],
    ['in JSON in JSON', JSON.stringify({ body: JSON.stringify({ token: TOKEN }) })],
    ['URL-encoded', `https://x/?t=${encodeURIComponent(TOKEN)}&y=1`],
    ['URL-encoded in lower case', `t=${encodeURIComponent(TOKEN).replace(/%../g, (c) => c.toLowerCase())}`],
    ['as a form', new URLSearchParams({ t: TOKEN }).toString()],
    ['base64', basic('')],
    ['base64 after one byte', basic('u')],
    ['base64 after two bytes', basic('u:')],
    ['base64 after a user name', `Authorization: Basic ${basic('user:')}`],
    ['base64url', Buffer.from(TOKEN).toString('base64url')],
  ])('takes a secret out %s', (_, text) => {
    const answer = redactor.redact(text);
    expect(answer).toContain('[redacted]');
    for (let at = 0; at + 12 <= TOKEN.length; at++) expect(answer).not.toContain(TOKEN.slice(at, at + 12));
    expect(Buffer.from(answer.replace('[redacted]', ''), 'base64').toString()).not.toContain('s3cr3t');
  });

  test('leaves everything else alone', () => {
    expect(redactor.redact('shard 3 is ready')).toBe('shard 3 is ready');
    expect(new Redactor().redact('anything')).toBe('anything');
  });

  test('ignores what is too short to be a secret', () => {
    expect(new Redactor(['', 'abc', 'admin']).redact('admin abc')).toBe('admin abc');
    expect(new Redactor(['secret']).redact('a secret')).toBe('a [redacted]');
  });

  test('of two secrets that begin alike no tail stays', () => {
    expect(new Redactor(['password', 'password-long']).redact('x password-long y password z')).toBe(
      'x [redacted] y [redacted] z',
    );
  });

  test('learns secrets later, also with half a surrogate pair', () => {
    const later = new Redactor();
    later.add('hook/\ud800/secret');
    later.add('another-secret');
    expect(later.redact('hook/\ud800/secret another-secret')).toBe('[redacted] [redacted]');
  });

  test.each([
    ['a number', '12345678', '{"level":"info","time":12345678}'],
    ['across an escape', 'nabcdef', '{"level":"info","msg":"x\\nabcdef"}'],
  ])('a line stays JSON when the secret is %s', (_, secret, line) => {
    const answer = new Redactor([secret]).redactJsonLine(line);
    expect(answer).not.toContain(secret);
    expect((JSON.parse(answer) as { msg: string }).msg).toContain('[redacted]');
  });
});
