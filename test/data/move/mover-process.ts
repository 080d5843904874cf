/* A mover in a process of its own, for tests that kill it. Argument: JSON of { urls, tables, guild, to }. */
import { Mover } from '../../../src/data/move/mover';
import { connectClient } from '../../../src/data/pool/connect';

interface Order {
  urls: string[];
  tables: Record<string, string>;
  guild: string;
  to: number;
}

const order = JSON.parse(process.argv[2] ?? '') as Order;
const mover = new Mover({
  connect: (shard) => connectClient({ url: order.urls[shard] ?? '', applicationName: 'mover' }),
  tables: order.tables,
});
process.stdout.write('begin\n');
void mover.move({ kind: 'guild', guildId: BigInt(order.guild) }, order.to).then(() => process.stdout.write('done\n'));
