import { MINUTE_MS, type Step, type Strategy } from '../strategy';

const prune: Step = {
  name: 'prune',
  does: "Delete of botctl's own files what nobody needs: old logs, files of dead processes",
  touches: 'nothing',
  needsDiscord: false,
  verifyMs: 2 * MINUTE_MS,
  run: (_, actions) => actions.prune(),
};

export const diskLow: Strategy = {
  kind: 'act',
  summary: "Delete of botctl's own files what nobody needs.",
  steps: [prune],
  coolDownMs: 30 * MINUTE_MS,
  maxPerHour: 2,
};
