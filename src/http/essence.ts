import type { Status } from '../control/contract';

/**
 * What an operator would want to know of at once. Figures that move all the time (ages, memory, counts of guilds) are left
 * out. Pure.
 */
export function essenceOf(status: Status): string {
  const { supervisor, clusters, shards, gateway, identify, postgres, redis, data, health, deploy } = status;
  return JSON.stringify([
    status.verdict,
    status.problems,
    status.actions,
    supervisor.state,
    supervisor.message,
    clusters.map(({ id, state, pid, retryAt, message, notices, release }) => [
      id,
      state,
      pid,
      retryAt,
      message,
      notices,
      release,
    ]),
    shards.map(({ id, state }) => [id, state]),
    gateway,
    [identify.queued, identify.blocked, identify.remaining],
    [postgres.state, redis.state, data?.problem, data?.move?.phase],
    health?.checks.map(({ name, state }) => [name, state]),
    [deploy?.current, deploy?.rollout, deploy?.last?.id],
  ]);
}
