import type { Sandbox } from '../../../src/sandbox';
import { until } from '../../support/until';

/** Waits until every event has its answer. A replay can make answers late, which is not lost: lost ones never come. */
export async function settled(sandbox: Sandbox): Promise<void> {
  const open = (): number => sandbox.report().outstanding + sandbox.report().lost;
  await until(() => open() === 0, { timeoutMs: 15_000, what: () => `events without an answer: ${open()}` });
}
