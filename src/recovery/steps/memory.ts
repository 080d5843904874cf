import { clustersOf } from '../fleet';
import type { Step } from '../strategy';

/** Asks the bot to let go of what can be had again. */
export const dropCaches: Step = {
  name: 'drop-caches',
  does: "Call the bot's onMemoryPressure handlers, empty the SDK's cache, drop old messages of discord.js",
  touches: 'nothing',
  needsDiscord: false,
  verifyMs: 20_000,
  run: ({ scope, fleet }, actions) => actions.remedy({ kind: 'drop-caches' }, ids(clustersOf(scope, fleet))),
};

export const collectGarbage: Step = {
  name: 'collect-garbage',
  does: 'Have the garbage collected at once',
  touches: 'nothing',
  needsDiscord: false,
  verifyMs: 20_000,
  run: ({ scope, fleet }, actions) => actions.remedy({ kind: 'collect-garbage' }, ids(clustersOf(scope, fleet))),
};

function ids(clusters: readonly { id: number }[]): number[] {
  return clusters.map(({ id }) => id);
}
