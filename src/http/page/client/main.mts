import type { Status } from '../../../control/contract.js';
import { Charts } from './charts.mjs';
import { ClusterTable } from './clusters.mjs';
import { byId, put, say } from './dom.mjs';
import { duration } from './format.mjs';
import { drawFooter, drawHeadline } from './headline.mjs';
import { HealthTable } from './health.mjs';
import { IncidentTable } from './incidents.mjs';
import { Services } from './services.mjs';
import { ShardGrid } from './shards.mjs';
import { StatusSource } from './source.mjs';

const WAYS = { live: 'live', polling: 'asked every 2 s' };

const grid = new ShardGrid();
const clusters = new ClusterTable();
const health = new HealthTable();
const incidents = new IncidentTable();
const services = new Services();
const charts = new Charts();
let seenAt: number | null = null;

function draw(status: Status): void {
  seenAt = Date.now();
  byId('lost').hidden = true;
  byId('page').hidden = false;
  byId('page').classList.remove('old');
  drawHeadline(status);
  grid.draw(status.shards);
  clusters.draw(status);
  incidents.draw(status.incidents);
  health.draw(status.health);
  services.draw(status);
  drawFooter(status);
  put(byId('updated'), `updated ${new Date(seenAt).toLocaleTimeString([], { hour12: false })}`);
  charts.start();
}

function showLost(): void {
  byId('lost').hidden = false;
  byId('page').classList.add('old');
  say(byId('way'), 'not connected');
  const since =
    seenAt === null ? '.' : ` for ${duration(Date.now() - seenAt)}. Below is what it said last; it is asked again.`;
  say(byId('lost'), `The supervisor does not answer${seenAt === null ? '.' : since}`);
}

new StatusSource({
  onStatus: draw,
  onWay: (way) => say(byId('way'), WAYS[way]),
  onLost: showLost,
}).start();
