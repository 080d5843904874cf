import { ControlError, type Progress } from './contract';
import type { DeployHandlers, DeployRequest, RollbackRequest } from './deploy-contract';
import { parseBody } from './requests';

type Run = (onProgress: (line: Progress) => void) => Promise<void>;

/** What a path asks for, given the body of the request; null: it is none of these. @throws ControlError 400 */
export function deployRoute(path: string, handlers: DeployHandlers): ((body: string) => Run) | null {
  switch (path) {
    case '/v1/deploy':
      return (body) => {
        const request = parseDeploy(body);
        return (onProgress) => handlers.deploy(request, onProgress);
      };
    case '/v1/rollback':
      return (body) => {
        const request = parseRollback(body);
        return (onProgress) => handlers.rollback(request, onProgress);
      };
    case '/v1/rollout':
      return () => (onProgress) => handlers.followRollout(onProgress);
    case '/v1/rollout/pause':
      return () => (onProgress) => handlers.orderRollout('pause', onProgress);
    case '/v1/rollout/resume':
      return () => (onProgress) => handlers.orderRollout('resume', onProgress);
    case '/v1/rollout/abort':
      return () => (onProgress) => handlers.orderRollout('abort', onProgress);
    case '/v1/reload':
      return () => (onProgress) => handlers.reload(onProgress);
    default:
      return null;
  }
}

function parseDeploy(text: string): DeployRequest {
  const example = '{"release": "0123456789ab"}';
  const body = parseBody(text, ['release', 'force', 'checkOnly', 'allAtOnce'], example);
  const { release } = body;
  if (typeof release !== 'string') throw new ControlError(400, 'release must be an id as text', `such as ${example}`);
  const [force, checkOnly, allAtOnce] = [flag(body, 'force'), flag(body, 'checkOnly'), flag(body, 'allAtOnce')];
  return { release, force, checkOnly, allAtOnce };
}

function parseRollback(text: string): RollbackRequest {
  const { release = null } = parseBody(text, ['release'], '{"release": "0123456789ab"}');
  if (release !== null && typeof release !== 'string') throw new ControlError(400, 'release must be an id as text');
  return { release };
}

function flag(body: Record<string, unknown>, key: string): boolean {
  const value = body[key] ?? false;
  if (typeof value !== 'boolean') throw new ControlError(400, `${key} must be true or false`);
  return value;
}
