import { Permits } from '../../src/agent/permits';
import type { AgentToSupervisor } from '../../src/ipc/messages';

describe('Permits', () => {
  let sent: AgentToSupervisor[];
  let permits: Permits;

  beforeEach(() => {
    sent = [];
    permits = new Permits((frame) => sent.push(frame));
  });

  it('asks, and resolves when the supervisor says go', async () => {
    permits.onAttached();
    const permit = permits.identify(3, new AbortController().signal);
    expect(sent).toEqual([{ t: 'identify', shardId: 3, id: 1 }]);
    permits.onGo(1);
    await expect(permit).resolves.toBe(1);
    permits.identified(1, 3);
    expect(sent[1]).toEqual({ t: 'identified', id: 1, shardId: 3 });
  });

  it('cancels what is no longer wanted', async () => {
    permits.onAttached();
    const abort = new AbortController();
    const wait = permits.connect(0, 'identify', abort.signal);
    abort.abort();
    await expect(wait).rejects.toThrow('aborted');
    expect(sent[1]).toEqual({ t: 'cancel', id: 1 });
  });

  it('gives back leave that comes too late or twice', async () => {
    permits.onAttached();
    const wait = permits.connect(0, 'resume', new AbortController().signal);
    permits.onGo(1);
    await wait;
    permits.onGo(1);
    expect(sent.slice(1)).toEqual([{ t: 'cancel', id: 1 }]);
  });

  it('asks the next supervisor again, with a new id; the old answer does not count', async () => {
    permits.onAttached();
    let granted = false;
    const permit = permits.identify(5, new AbortController().signal).then((id) => {
      granted = true;
      return id;
    });
    permits.onDetached();
    permits.onAttached();
    expect(sent).toEqual([
      { t: 'identify', shardId: 5, id: 1 },
      { t: 'identify', shardId: 5, id: 2 },
    ]);
    permits.onGo(1);
    await Promise.resolve();
    expect(granted).toBe(false);
    permits.onGo(2);
    await expect(permit).resolves.toBe(2);
  });

  describe('without a supervisor', () => {
    beforeEach(() => jest.useFakeTimers());
    afterEach(() => jest.useRealTimers());

    it('lets a resume go ahead after a while, and keeps an identify waiting', async () => {
      const resumed = jest.fn();
      const identified = jest.fn();
      void permits.connect(0, 'resume', new AbortController().signal).then(resumed);
      void permits.connect(1, 'identify', new AbortController().signal).then(identified);
      void permits.identify(1, new AbortController().signal).then(identified);
      await jest.advanceTimersByTimeAsync(1_999);
      expect(resumed).not.toHaveBeenCalled();
      await jest.advanceTimersByTimeAsync(3_001);
      expect(resumed).toHaveBeenCalledTimes(1);
      await jest.advanceTimersByTimeAsync(3_600_000);
      expect(identified).not.toHaveBeenCalled();
      expect(sent).toEqual([]);
    });
  });
});
