import type { Logger } from 'pino';
import type { RestGuardEvent } from './process';

/** Writes what happens in and to the REST guard as log lines. */
export function logRestEvent(logger: Logger, event: RestGuardEvent): void {
  const { type, ...fields } = event;
  const about = { event: type, ...fields };
  switch (event.type) {
    case 'rest.guard-up':
      logger.info(about, `REST guard ${event.adopted ? 'still runs, taken over' : 'is up'}`);
      break;
    case 'rest.guard-down':
      logger.error(about, `REST guard is down: ${event.reason}; the clusters call Discord directly until it is back`);
      break;
    case 'rest.brake':
      if (event.level === 'off') logger.info(about, `REST: ${event.route} passes again`);
      else {
        const done = event.level === 'slow' ? 'slowed down' : 'stopped';
        logger.warn(
          about,
          `REST: ${event.route} is ${done}: ${event.invalid} of its requests were refused within 10 minutes; fix the bot's permissions or the caller`,
        );
      }
      break;
    case 'rest.ban-near':
      if (event.held) {
        logger.error(
          about,
          `REST: ${event.total} of ${event.limit} invalid requests within 10 minutes: only interactions are let through, or Discord bans this address`,
        );
      } else logger.info(about, 'REST: the number of invalid requests has fallen, all routes pass again');
      break;
    case 'rest.banned':
      if (event.banned)
        logger.error(about, 'REST: Discord has banned this address for invalid requests; waiting it out');
      else logger.info(about, 'REST: the ban of this address is over');
      break;
    case 'rest.unauthorized':
      if (event.refused) {
        logger.error(
          about,
          'REST: Discord refuses the token (401), nothing more is sent with it; set a valid bot.token',
        );
      } else logger.info(about, 'REST: Discord accepts the token again');
      break;
    case 'rest.global-limit':
      logger.warn(
        about,
        'REST: Discord said 429 for the whole bot: something outside this botctl uses the token, or rest.globalPerSecond is too high',
      );
      break;
    case 'rest.queue-full':
      if (event.full) {
        logger.warn(
          about,
          `REST: ${event.queued} requests wait (rest.maxQueue); more are answered 429 for the bot to try later`,
        );
      } else logger.info(about, 'REST: the queue has room again');
      break;
  }
}
