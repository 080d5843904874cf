import { Cron } from 'croner';
import { z } from 'zod';
import { duration, flag, fraction, integer, oneOf, size, text, url } from './values';

const TIME = 'a time of the day such as 02:00';

const time = () => text(TIME).regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: `expected ${TIME}` });

const ZONE = 'the name of a time zone such as Europe/Berlin';

const zone = () => text(ZONE).refine(isZone, { error: `expected ${ZONE}` });

const SCHEDULE = 'a cron pattern such as "0 */6 * * *"';

const schedule = () => text(SCHEDULE).refine(isSchedule, { error: `expected ${SCHEDULE}` });

/** What can be set for every task, and what more for this one. */
const task = <T extends z.ZodRawShape>(more: T) =>
  z.strictObject(
    {
      enabled: flag().prefault(true).describe('false: it is left out.'),
      schedule: schedule()
        .optional()
        .describe('Cron pattern, in the zone of the window. Absent: at the begin of each window.'),
      ...more,
    },
    { error: 'expected a mapping' },
  );

const retentionRule = z
  .strictObject(
    {
      table: text('the name of a table').describe('Table, or schema.table. Required.'),
      column: text('the name of a column').describe('Column that tells how old a row is. Required.'),
      keep: duration('1h', '36500d').describe('Rows stay for at least so long, such as 90d. Required.'),
      unit: oneOf(['seconds', 'milliseconds', 'snowflake'])
        .optional()
        .describe('What whole numbers in the column are. Absent: it is a timestamp or date.'),
      zone: zone().optional().describe('Zone of a timestamp without one, or of a date. Absent: that of the window.'),
    },
    { error: 'expected a mapping with table, column and keep' },
  )
  .describe('Rows of a table that are deleted when they are old enough.');

/** `maintenance` of the config. */
export const maintenance = z
  .strictObject(
    {
      enabled: flag()
        .prefault(true)
        .describe('false: the databases are left alone. `botctl maintain --now` still works.'),
      window: z
        .strictObject(
          {
            start: time().prefault('02:00').describe('Begin, by the clock of the zone.'),
            end: time().prefault('04:00').describe('End; what is not done by then goes on the next night.'),
            zone: zone().prefault('UTC').describe('Time zone, such as Europe/Berlin.'),
          },
          { error: 'expected a mapping' },
        )
        .prefault({})
        .describe('When the databases may be worked on, each night.'),
      catchUp: flag()
        .prefault(true)
        .describe('A window that was missed is made up 5 minutes after the next start. false: it is only told.'),
      shards: z
        .array(url(['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/database'), {
          error: 'expected a list of postgres:// URLs',
        })
        .optional()
        .describe(
          'Direct addresses of the databases, in the order of `postgres.shards`, where those lead to a pooler.',
        ),
      retention: z
        .array(retentionRule, { error: 'expected a list of tables with column and keep' })
        .prefault([])
        .describe('Tables whose old rows are deleted, on every database shard.'),
      pauseAbove: integer(0, 100_000)
        .prefault(20)
        .describe('While more statements than this run in a database, deleting pauses.'),
      tasks: z
        .strictObject(
          {
            retention: task({}).prefault({}).describe('Delete rows by `maintenance.retention`.'),
            cache: task({}).prefault({}).describe('Remove expired rows of the durable cache.'),
            history: task({
              keep: duration('1d', '3650d').prefault('90d').describe('How long it is remembered what was done.'),
              keepIncidents: duration('1d', '3650d')
                .prefault('365d')
                .describe('How long an incident is kept after its end.'),
            })
              .prefault({})
              .describe('Forget old history.'),
            vacuum: task({
              deadRows: integer(1, 1_000_000_000).prefault(1_000).describe('So many dead rows call for a VACUUM, …'),
              deadShare: fraction(0, 1).prefault(0.05).describe('… if they are also this share of all rows.'),
              changedShare: fraction(0, 10).prefault(0.1).describe('Share of changed rows that calls for an ANALYZE.'),
              freezeShare: fraction(0.01, 1)
                .prefault(0.6)
                .describe('Share of the way to a forced freezing at which a table is frozen.'),
            })
              .prefault({})
              .describe('VACUUM and ANALYZE where they are called for.'),
            reindex: task({
              bloat: fraction(0.05, 1)
                .prefault(0.3)
                .describe('Share of an index that is waste, from which it is rebuilt.'),
              minSize: size('8KB', '10TB').prefault('1MB').describe('Smaller indexes are left alone.'),
            })
              .prefault({})
              .describe('Rebuild bloated and invalid indexes, without locking their tables.'),
            releases: task({}).prefault({}).describe('Remove releases that nobody goes back to.'),
          },
          { error: 'expected a mapping of tasks' },
        )
        .prefault({})
        .describe('What is done.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('Care for the databases, each night.');

const count = (what: string, kept: number) =>
  integer(0, 1_000).prefault(kept).describe(`Number of ${what} of which the newest backup is kept.`);

/** `backup` of the config. */
export const backup = z
  .strictObject(
    {
      enabled: flag().prefault(true).describe('false: no backups by themselves. `botctl backup now` still works.'),
      schedule: schedule()
        .optional()
        .describe('Cron pattern, in the zone of the maintenance window. Absent: at the begin of each window.'),
      dir: text('the path of a folder')
        .optional()
        .describe('Folder for the backups, best on another disk. Absent: `backups` in `stateDir`.'),
      s3: z
        .strictObject(
          {
            endpoint: url(['http:', 'https:'], 'https://s3.example.com/bucket').describe(
              'Address with the bucket in it. Required.',
            ),
            region: text('a region').prefault('auto').describe('Region of the bucket.'),
            prefix: text('a prefix')
              .regex(/^[\w.-]+(\/[\w.-]+)*$/, { error: 'expected names with slashes between them' })
              .optional()
              .describe('Before the names of all objects. Absent: the name of the bot.'),
            accessKeyId: text('an access key').describe('Access key. Required.'),
            secretAccessKey: text('a secret key').describe('Its secret: `${NAME}` or the file NAME_FILE. Required.'),
          },
          { error: 'expected a mapping with endpoint, accessKeyId and secretAccessKey' },
        )
        .optional()
        .describe('Instead of `dir`: a bucket of an S3-compatible service.'),
      key: text('a key of at least 16 characters')
        .min(16, { error: 'expected a key of at least 16 characters' })
        .optional()
        .describe('Encrypts backups (AES-256-GCM). Without it they cannot be restored: keep it elsewhere, too.'),
      method: oneOf(['auto', 'dump', 'physical'])
        .prefault('auto')
        .describe(
          'dump: pg_dump of every database. physical: a copy of the whole embedded server. auto: dump where there is a pg_dump that fits.',
        ),
      verify: flag()
        .prefault(true)
        .describe(
          'Each backup is restored for a trial, and every table compared. false: by `botctl backup verify` only.',
        ),
      keep: z
        .strictObject(
          {
            daily: count('days', 7),
            weekly: count('weeks', 4),
            monthly: count('months', 6),
          },
          { error: 'expected a mapping' },
        )
        .prefault({})
        .describe('Which backups stay; the newest one always does.'),
    },
    { error: 'expected a mapping' },
  )
  .prefault({})
  .describe('Backups of all database shards.');

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function isSchedule(pattern: string): boolean {
  try {
    return new Cron(pattern, { paused: true }).nextRun() !== null;
  } catch {
    return false;
  }
}
