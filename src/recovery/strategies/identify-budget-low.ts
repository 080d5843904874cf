import { MINUTE_MS, type Step, type Strategy } from '../strategy';

const SAVE_MS = 60 * MINUTE_MS;

const saveIdentifies: Step = {
  name: 'save-identifies',
  does: 'Restart nothing that can wait: crash loops, respawnAll, replacements that could not resume',
  touches: 'nothing',
  needsDiscord: false,
  // The budget comes back with Discord's next day: nothing of ours clears the condition.
  verifyMs: SAVE_MS,
  run: (_, actions) => actions.saveIdentifies(SAVE_MS + MINUTE_MS),
};

export const identifyBudgetLow: Strategy = {
  kind: 'act',
  summary: 'Stop everything that would spend identifies and can wait.',
  steps: [saveIdentifies],
  coolDownMs: SAVE_MS / 2,
  maxPerHour: 4,
};
