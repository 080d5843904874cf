import type { Sandbox } from '../../../src/sandbox';
import { until } from '../../support/until';

/** Waits until every event has its answer. A replay can make answers late, which is not lost: lost ones never come. */
export async function settled(sandbox: Sandbox): Promise<void> {
  const settledNow = (): boolean => sandbox.report().outstanding + sandbox.report().lost === 0;
  const what = (): string => {
    const { outstanding, lost, answered } = sandbox.report();
    return `an answer to each event: ${answered} have one, ${outstanding} may still get one, ${lost} are lost`;
  };
  await until(settledNow, { timeoutMs: 90_000, everyMs: 50, what });
}
