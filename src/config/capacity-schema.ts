import { z } from 'zod';
import { duration, flag, fraction, size } from './values';

/** `capacity` of the config. */
export const capacity = z
  .strictObject(
    {
      threshold: fraction(0.1, 1).prefault(0.8).describe('Share of a limit from which on it counts as near.'),
      horizon: duration('1d', '365d')
        .prefault('30d')
        .describe('A limit that will be near within so long is told of, with the change to make.'),
      weeklyReport: flag()
        .prefault(true)
        .describe(
          'Each Monday at 9:00 (time of the machine) the notifiers tell what is in use and what to change; after a downtime, at the next start.',
        ),
      databaseSize: size('1MB', '100TB')
        .optional()
        .describe('Space that one database may take. Absent: not known; of the embedded server what its disk has.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('Looking ahead: when are guilds, memory, disk, connections, CPU or identifies used up?');
