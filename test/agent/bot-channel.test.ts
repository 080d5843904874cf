import { EventEmitter, once } from 'node:events';
import { BotChannel, type ChannelProcess } from '../../src/agent/bot-channel';

interface Forked extends ChannelProcess {
  send(message: unknown, ...rest: unknown[]): boolean;
  connected: boolean;
  channel: { ref(): void; unref(): void };
}

describe('BotChannel', () => {
  let sent: unknown[];
  let keeps: boolean[];
  let accepts: boolean;
  let forked: Forked;
  let channel: BotChannel;

  beforeEach(() => {
    sent = [];
    keeps = [];
    accepts = true;
    const transport = {
      sendBot: (message: unknown) => {
        if (accepts) sent.push(message);
        return accepts;
      },
      keepAlive: (keep: boolean) => keeps.push(keep),
    };
    const target = new EventEmitter() as unknown as ChannelProcess;
    channel = new BotChannel(target, transport);
    channel.install();
    forked = target as Forked;
  });

  it('sends, and calls back as a forked process does', async () => {
    const error = await new Promise((resolve) => forked.send({ a: 1 }, resolve));
    expect(error).toBeNull();
    expect(sent).toEqual([{ a: 1 }]);
    expect(forked.connected).toBe(true);
    const second = await new Promise((resolve) => forked.send({ a: 2 }, undefined, {}, resolve));
    expect(second).toBeNull();
  });

  it('tells the bot when a message cannot be taken', async () => {
    accepts = false;
    const error = await new Promise((resolve) => forked.send('x', resolve));
    expect(error).toEqual(new Error('no supervisor takes messages at the moment'));
    expect(forked.send('y')).toBe(false);
  });

  it('throws when there is no message, as Node does', () => {
    expect(() => forked.send(undefined)).toThrow(TypeError);
  });

  it('keeps the process alive only while somebody listens', () => {
    const listener = (): void => undefined;
    forked.on('message', listener);
    expect(keeps.at(-1)).toBe(true);
    forked.off('message', listener);
    expect(keeps.at(-1)).toBe(false);
    forked.on('other', listener);
    expect(keeps.at(-1)).toBe(false);
  });

  it('delivers messages to the bot', async () => {
    const arrived = once(forked, 'message');
    channel.deliver({ hello: 'bot' });
    expect((await arrived)[0]).toEqual({ hello: 'bot' });
  });
});
