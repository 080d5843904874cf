import type { LimitNear } from '../../capacity';
import type { Incident, Signal } from '../../incidents';

/**
 * What is told of limits: those that are near, and that there is room again where an incident says otherwise, whichever
 * supervisor it is from. Pure.
 */
export function capacitySignals(
  near: readonly LimitNear[],
  open: readonly Pick<Incident, 'type' | 'rule' | 'affected'>[],
): Signal[] {
  const signals = near.map(signalOf);
  const isNear = new Set(signals.map(keyOf));
  const over = open
    .filter(({ type }) => type === 'capacity-limit')
    .flatMap(({ type, rule, affected }) =>
      affected.map((scope): Signal => {
        return { type, scope, name: rule.slice(`${type}/`.length), holds: false, text: 'There is room again.' };
      }),
    )
    .filter((signal) => !isNear.has(keyOf(signal)));
  return [...over, ...signals];
}

function signalOf({ name, database, severity, text }: LimitNear): Signal {
  const scope = database === null ? 'bot' : (`db:${database}` as const);
  return { type: 'capacity-limit', scope, name, holds: true, severity, text };
}

function keyOf({ scope, name }: Signal): string {
  return `${scope} ${name ?? ''}`;
}
