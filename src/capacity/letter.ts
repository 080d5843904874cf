import type { CapacityReport } from './report';
import { amount, costText, day, inDays, nameOf, percent } from './words';

export interface Letter {
  title: string;
  text: string;
}

/** Limits named when nothing has to be done. */
const MAX_NAMED = 8;

/** The weekly report, for people. Pure. */
export function letterOf(report: CapacityReport, bot: string): Letter {
  const { recommendations } = report;
  const count = recommendations.length;
  const what = count === 0 ? 'nothing to do' : `${count} ${count === 1 ? 'change' : 'changes'} to make`;
  const advice = recommendations.map(({ why, change, how, cost }) => {
    const taken = costText(cost);
    return [
      `- ${why}`,
      ...(change === null
        ? []
        : [`  ${change.key}: ${change.from} -> ${change.to}${taken === '' ? '' : ` (${taken})`}`]),
      `  ${how}`,
    ].join('\n');
  });
  return { title: `Capacity of ${bot}: ${what}`, text: [...advice, ...figures(report)].join('\n') };
}

function figures({ resources, at }: CapacityReport): string[] {
  return resources
    .filter(({ limit }) => limit !== null)
    .slice(0, MAX_NAMED)
    .map((one) => {
      const { usual, limit, unit, forecast } = one;
      const used = `${nameOf(one)}: ${amount(usual, unit)} of ${amount(limit ?? 0, unit)} (${percent(usual / (limit ?? 1))})`;
      if (forecast?.kind !== 'trend') return `${used}, too little history`;
      const full = forecast.meetings[1]?.at;
      return full == null ? `${used}, ${forecast.direction}` : `${used}, full ${inDays(full, at)} (${day(full)})`;
    });
}
