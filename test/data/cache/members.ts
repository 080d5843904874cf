import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { RedisSource } from '../../../src/data/redis';
import { until } from '../../support/until';
import type { Command } from './member';

interface Said {
  ready?: true;
  loading?: string;
  answer?: unknown;
}

/** A process of its own with a cache on a common Redis. */
export class Member {
  readonly loads: string[] = [];
  readonly #child: ChildProcess;
  readonly #answers: ((answer: unknown) => void)[] = [];
  #ready = false;

  private constructor(processId: string, source: RedisSource, loadMs: number) {
    this.#child = fork(join(__dirname, 'member.ts'), [JSON.stringify({ processId, source, loadMs })], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', ({ ready, loading, ...rest }: Said) => {
      if (ready !== undefined) this.#ready = true;
      else if (loading !== undefined) this.loads.push(loading);
      else this.#answers.shift()?.(rest.answer);
    });
  }

  static async start(count: number, source: RedisSource, loadMs: number): Promise<Member[]> {
    const members = Array.from({ length: count }, (_, index) => new Member(`m${index}`, source, loadMs));
    await until(() => members.every((member) => member.#ready), { timeoutMs: 40_000 });
    return members;
  }

  tell(command: Command): Promise<unknown> {
    return new Promise((resolve) => {
      this.#answers.push(resolve);
      this.#child.send(command);
    });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
