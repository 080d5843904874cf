/* The data tier against its peers, on real servers. One part alone: `npm run bench:data -- pool`, `move` or `cache`. */
import { benchCache } from './cache';
import { benchMove, benchPool } from './database';

const PARTS = { pool: benchPool, move: benchMove, cache: benchCache };

async function main(chosen: readonly string[]): Promise<void> {
  const unknown = chosen.find((name) => !Object.hasOwn(PARTS, name));
  if (unknown !== undefined) throw new Error(`there is no part ${unknown}: name ${Object.keys(PARTS).join(', ')}`);
  for (const [name, bench] of Object.entries(PARTS)) if (chosen.length === 0 || chosen.includes(name)) await bench();
}

void main(process.argv.slice(2));
