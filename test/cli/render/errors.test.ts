import { CliError } from '../../../src/cli/cli-error';
import { reportError } from '../../../src/cli/render/errors';
import { ControlUnreachable } from '../../../src/control/client';
import { ControlError } from '../../../src/control/contract';

function report(error: unknown, verbose = false, secrets: string[] = []): { code: number; text: string } {
  let text = '';
  const code = reportError(error, { stderr: { write: (part) => (text += part) }, color: false, verbose, secrets });
  return { code, text };
}

test.each([
  [new CliError('no such file', 2, 'give another one'), 2, '! error: no such file\n  give another one\n'],
  [
    new ControlUnreachable('not-running', 'no supervisor is running'),
    3,
    '! error: no supervisor is running\n  Start it with: botctl start\n',
  ],
  [new ControlUnreachable('deaf', 'no answer'), 1, '! error: no answer\n'],
  [new ControlError(404, 'no cluster 9', 'there are 0 to 3'), 1, '! error: no cluster 9\n  there are 0 to 3\n'],
  [Object.assign(new Error('from another room'), { exitCode: 2 }), 2, '! error: from another room\n'],
  [new TypeError(''), 1, '! error: TypeError\n'],
  ['a string', 1, '! error: a string\n'],
])('%s', (error, code, text) => expect(report(error)).toEqual({ code, text }));

test('stack and causes only on request', () => {
  const error = new Error('outer', { cause: new Error('inner') });
  expect(report(error).text).not.toContain('errors.test.ts');
  expect(report(error, true).text).toMatch(/Error: outer[^]*errors\.test\.ts[^]*caused by Error: inner/);
});

test.each([
  ['a named secret', 'bad password hunter2hunter2', 'hunter2hunter2'],
  ['a bot token', 'x MTE4NjA0NzQyNTYyMzQ1Njc4.GabcDe.aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789ab y', 'aBcDeFgHi'],
  ['a webhook', 'POST https://discord.com/api/webhooks/1234567890/s3cr3t_Hook-name failed', 's3cr3t_Hook'],
  ['a password in a URL', 'cannot reach postgres://bot:s3cr3t@db:5432/x', 's3cr3t'],
])('%s is not shown, not even in the stack', (_, message, secret) => {
  const { text } = report(new Error(message, { cause: new Error(message) }), true, ['hunter2hunter2']);
  expect(text).not.toContain(secret);
  expect(text).toContain('[redacted]');
});
