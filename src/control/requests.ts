import type { MaintainRequest } from './maintenance-contract';
import { ControlError, type MoveRequest, type RebalanceRequest, type RestartRequest } from './contract';
import type { RecoverRequest } from './recovery-contract';
import type { ScaleRequest } from './scale-contract';

/*
 * What comes over the control socket, checked: a newer or older botctl may be at the other end.
 * All throw ControlError 400.
 */

export function parseRestart(text: string): RestartRequest {
  const body = parseBody(text, ['cluster', 'shard', 'cold'], '{"cluster": 3}');
  const request: RestartRequest = {};
  for (const key of ['cluster', 'shard'] as const) if (body[key] !== undefined) request[key] = count(body, key);
  if (request.cluster !== undefined && request.shard !== undefined) {
    throw new ControlError(400, 'give a cluster or a shard, not both');
  }
  if (body['cold'] !== undefined) {
    if (typeof body['cold'] !== 'boolean') throw new ControlError(400, 'cold must be true or false');
    request.cold = body['cold'];
  }
  return request;
}

export function parseMove(text: string): MoveRequest {
  const body = parseBody(text, ['guild', 'to'], '{"guild": "81384788765712384", "to": 1}');
  return { guild: guild(body), to: count(body, 'to') };
}

export function parseAbort(text: string): Pick<MoveRequest, 'guild'> {
  return { guild: guild(parseBody(text, ['guild'], '{"guild": "81384788765712384"}')) };
}

export function parseRecover(text: string): RecoverRequest {
  const { type, scope, dryRun = false } = parseBody(text, ['type', 'scope', 'dryRun'], '{"type": "shard-stuck"}');
  if (typeof type !== 'string') throw new ControlError(400, 'type must be an incident type as text');
  if (scope !== undefined && typeof scope !== 'string') throw new ControlError(400, 'scope must be text');
  if (typeof dryRun !== 'boolean') throw new ControlError(400, 'dryRun must be true or false');
  return { type, dryRun, ...(scope !== undefined && { scope }) };
}

export function parseScale(text: string): ScaleRequest {
  const example = '{"clusters": 4}';
  const body = parseBody(text, ['shards', 'clusters', 'shardsPerCluster', 'cold', 'dryRun', 'force'], example);
  const keys = (['shards', 'clusters', 'shardsPerCluster'] as const).filter((key) => body[key] !== undefined);
  if (keys.length === 0) throw new ControlError(400, 'give shards, clusters or shardsPerCluster', `such as ${example}`);
  if (keys.includes('clusters') && keys.includes('shardsPerCluster')) {
    throw new ControlError(400, 'give clusters or shardsPerCluster, not both', `such as ${example}`);
  }
  const numbers: Partial<Record<(typeof keys)[number], number>> = {};
  for (const key of keys) {
    numbers[key] = count(body, key);
    if (numbers[key] === 0) throw new ControlError(400, `${key} must be 1 or more`);
  }
  const { cold = false, dryRun = false, force = false } = body;
  if (typeof cold !== 'boolean') throw new ControlError(400, 'cold must be true or false');
  if (typeof dryRun !== 'boolean') throw new ControlError(400, 'dryRun must be true or false');
  if (typeof force !== 'boolean') throw new ControlError(400, 'force must be true or false');
  return { ...numbers, cold, dryRun, force };
}

export function parseRebalance(text: string): RebalanceRequest {
  const { drain = [], dryRun = false } = parseBody(text, ['drain', 'dryRun'], '{"drain": [3]}');
  if (!Array.isArray(drain) || !drain.every(isCount)) {
    throw new ControlError(400, 'drain must be a list of numbers from 0 on');
  }
  if (typeof dryRun !== 'boolean') throw new ControlError(400, 'dryRun must be true or false');
  return { drain, dryRun };
}

export function parseMaintain(text: string): MaintainRequest {
  const {
    tasks,
    dryRun = false,
    force = false,
  } = parseBody(text, ['tasks', 'dryRun', 'force'], '{"tasks": ["vacuum"]}');
  if (tasks !== undefined && (!Array.isArray(tasks) || !tasks.every((task) => typeof task === 'string'))) {
    throw new ControlError(400, 'tasks must be a list of names');
  }
  if (typeof dryRun !== 'boolean') throw new ControlError(400, 'dryRun must be true or false');
  if (typeof force !== 'boolean') throw new ControlError(400, 'force must be true or false');
  return { ...(tasks !== undefined && { tasks }), dryRun, force };
}

export function parseBody(text: string, known: readonly string[], example: string): Record<string, unknown> {
  let body: unknown;
  try {
    body = text === '' ? {} : JSON.parse(text);
  } catch {
    throw new ControlError(400, 'the body is not JSON');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ControlError(400, 'the body must be an object', `such as ${example}`);
  }
  const unknown = Object.keys(body).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new ControlError(400, `unknown key: ${unknown}`);
  return body as Record<string, unknown>;
}

function count(body: Record<string, unknown>, key: string): number {
  const value = body[key];
  if (!isCount(value)) throw new ControlError(400, `${key} must be a number from 0 on`);
  return value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function guild(body: Record<string, unknown>): string {
  if (typeof body['guild'] !== 'string') throw new ControlError(400, 'guild must be an id as text');
  return body['guild'];
}
