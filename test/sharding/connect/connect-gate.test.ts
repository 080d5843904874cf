import { ConnectGate, type ConnectGateView } from '../../../src/sharding/connect/connect-gate';
import { FakeClock } from '../../support/fake-clock';

const NEVER = new AbortController().signal;

describe('ConnectGate', () => {
  let clock: FakeClock;
  let views: ConnectGateView['gate'][];
  let gate: ConnectGate;
  let passed: string[];

  beforeEach(() => {
    clock = new FakeClock();
    views = [];
    passed = [];
    gate = new ConnectGate({
      clock,
      backoffMinMs: 1_000,
      backoffMaxMs: 60_000,
      failureThreshold: 3,
      random: () => 0.5,
      onChange: ({ gate: state }) => views.push(state),
    });
  });

  const ask = (key: string, urgent = true): void => void gate.pass(key, urgent, NEVER).then(() => passed.push(key));

  test('lets connections pass at once in good weather', async () => {
    for (let i = 0; i < 16; i++) ask(`c/${i}`);
    await clock.advance(0);
    expect(passed).toHaveLength(16);
  });

  test('backs off for all after failures in a row, probes with one, then opens in growing numbers', async () => {
    for (const key of ['c/0', 'c/1', 'c/2']) ask(key);
    await clock.advance(0);
    for (const key of passed) gate.failed(key, 'ECONNREFUSED');
    passed = [];
    for (let i = 0; i < 10; i++) ask(`c/${i}`);
    await clock.advance(999);
    expect(passed).toEqual([]);
    expect(gate.view).toMatchObject({ gate: 'backing-off', reason: 'ECONNREFUSED' });

    await clock.advance(1);
    expect(passed).toHaveLength(1);
    gate.failed(passed[0]!, 'ECONNREFUSED');
    await clock.advance(1_999);
    expect(passed).toHaveLength(1);
    await clock.advance(1);
    expect(passed).toHaveLength(2);

    gate.succeeded(passed[1]!);
    await clock.advance(0);
    expect(passed).toHaveLength(4);
    gate.succeeded(passed[2]!);
    gate.succeeded(passed[3]!);
    await clock.advance(0);
    expect(passed).toHaveLength(10);
    expect(views).toEqual(['backing-off', 'probing', 'backing-off', 'probing', 'passing']);
  });

  test('knocks ever more slowly during a long outage', async () => {
    let attempts = 0;
    const knock = async (): Promise<void> => {
      for (;;) {
        await gate.pass('c/0', true, NEVER);
        attempts++;
        gate.failed('c/0', 'refused');
      }
    };
    void knock();
    await clock.advance(10 * 60_000);
    expect(attempts).toBeLessThan(20);
  });

  test('resumes go before identifies', async () => {
    for (let i = 0; i < 64; i++) ask(`a/${i}`);
    await clock.advance(0);
    passed = [];
    ask('b/identify', false);
    ask('b/resume', true);
    gate.succeeded('a/0');
    await clock.advance(0);
    expect(passed[0]).toBe('b/resume');
  });

  test('a probe whose process dies does not close the gate for ever', async () => {
    for (const key of ['c/0', 'c/1', 'c/2']) ask(key);
    await clock.advance(0);
    for (const key of [...passed]) gate.failed(key, 'refused');
    passed = [];
    ask('d/0');
    ask('e/1');
    await clock.advance(1_000);
    expect(passed).toEqual(['d/0']);
    gate.release('d');
    await clock.advance(0);
    expect(passed).toEqual(['d/0', 'e/1']);
  });

  test('an attempt that is never reported gives its place back', async () => {
    for (let i = 0; i < 65; i++) ask(`a/${i}`);
    await clock.advance(89_999);
    expect(passed).toHaveLength(64);
    await clock.advance(1);
    expect(passed).toHaveLength(65);
  });

  test('an aborted wait is forgotten', async () => {
    const abort = new AbortController();
    for (let i = 0; i < 64; i++) ask(`a/${i}`);
    const waiting = gate.pass('b/0', true, abort.signal);
    abort.abort();
    await expect(waiting).rejects.toThrow();
    gate.succeeded('a/0');
    ask('c/0');
    await clock.advance(0);
    expect(passed).toContain('c/0');
  });
});
