import { replaceCluster } from '../steps/clusters';
import { MINUTE_MS, type Strategy } from '../strategy';

/** The supervisor itself kills a hung process after `sharding.hangTimeout`: this is for one that outlives that. */
export const clusterHung: Strategy = {
  kind: 'act',
  summary: 'The supervisor kills and restarts it by itself; one that does not come back is replaced.',
  steps: [
    {
      ...replaceCluster,
      pointless: (target) => {
        const state = target.fleet.clusters.find(({ id }) => target.scope === `cluster:${id}`)?.state;
        return state === 'hung' ? null : (replaceCluster.pointless?.(target) ?? 'its process answers again');
      },
    },
  ],
  coolDownMs: 5 * MINUTE_MS,
  maxPerHour: 6,
};
