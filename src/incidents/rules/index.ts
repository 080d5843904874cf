import type { Finding, Rule, RuleLimits } from '../rule';
import type { CustomRuleSettings, DetectSettings } from '../settings';
import { INCIDENT_TYPES, type IncidentType, type Severity, type Signal } from '../types';
import { errorRate, slowResponses } from './answers';
import { diskLow, healthCheck } from './checks';
import { clusterCrash, clusterFatal, clusterHung, crashLoop, eventLoopLag } from './clusters';
import { customRule } from './custom';
import { databaseDown, deferredWritesStuck, poolExhausted, redisDown } from './data';
import { discordOutage, guildDrop } from './discord';
import { identifyBudgetLow, invalidRequests, rest429Storm, restGuardDown, restUnauthorized } from './limits';
import { memoryPressure } from './memory';
import { shardDisconnects, shardStuck } from './shards';

/** How severe a signal is that does not say so. */
const SIGNAL_SEVERITY: Record<IncidentType, Severity> = {
  'discord-outage': 'critical',
  'guild-drop': 'warning',
  'cluster-fatal': 'critical',
  'cluster-crash': 'warning',
  'crash-loop': 'critical',
  'cluster-hung': 'warning',
  'shard-stuck': 'warning',
  'shard-disconnects': 'warning',
  'event-loop-lag': 'warning',
  'memory-pressure': 'warning',
  'error-rate': 'warning',
  'slow-responses': 'warning',
  'database-down': 'critical',
  'pool-exhausted': 'warning',
  'deferred-writes-stuck': 'warning',
  'redis-down': 'warning',
  'identify-budget-low': 'warning',
  'rest-guard-down': 'warning',
  'rest-429-storm': 'warning',
  'invalid-requests': 'critical',
  'rest-unauthorized': 'critical',
  'disk-low': 'critical',
  'health-check': 'warning',
  'backup-failed': 'critical',
  'maintenance-failed': 'warning',
  'deploy-failed': 'critical',
  'capacity-limit': 'warning',
  custom: 'warning',
};

/** How long a signal must have been gone, where there is no rule of its type, ms. */
const SIGNAL_CLEAR_MS = 0;

/** All rules that these settings call for. What others signal counts for the rule of its type. */
export function createRules(detect: DetectSettings, custom: readonly CustomRuleSettings[]): Rule[] {
  const all: [RuleLimits, Rule][] = [
    [detect.discordOutage, discordOutage(detect.discordOutage)],
    [detect.guildDrop, guildDrop(detect.guildDrop)],
    [detect.clusterFatal, clusterFatal(detect.clusterFatal)],
    [detect.clusterCrash, clusterCrash(detect.clusterCrash, detect.crashLoop)],
    [detect.crashLoop, crashLoop(detect.crashLoop)],
    [detect.clusterHung, clusterHung(detect.clusterHung)],
    [detect.shardStuck, shardStuck(detect.shardStuck)],
    [detect.shardDisconnects, shardDisconnects(detect.shardDisconnects)],
    [detect.eventLoopLag, eventLoopLag(detect.eventLoopLag)],
    [detect.memoryPressure, memoryPressure(detect.memoryPressure)],
    [detect.errorRate, errorRate(detect.errorRate)],
    [detect.slowResponses, slowResponses(detect.slowResponses)],
    [detect.databaseDown, databaseDown(detect.databaseDown)],
    [detect.poolExhausted, poolExhausted(detect.poolExhausted)],
    [detect.deferredWritesStuck, deferredWritesStuck(detect.deferredWritesStuck)],
    [detect.redisDown, redisDown(detect.redisDown)],
    [detect.identifyBudgetLow, identifyBudgetLow(detect.identifyBudgetLow)],
    [detect.restGuardDown, restGuardDown(detect.restGuardDown)],
    [detect.rest429Storm, rest429Storm(detect.rest429Storm)],
    [detect.invalidRequests, invalidRequests(detect.invalidRequests)],
    [detect.restUnauthorized, restUnauthorized(detect.restUnauthorized)],
    [detect.diskLow, diskLow(detect.diskLow)],
    [detect.healthCheck, healthCheck(detect.healthCheck)],
  ];
  const known = new Set(all.map(([, { type }]) => type));
  const signalled = INCIDENT_TYPES.filter((type) => !known.has(type)).map(signalRule);
  const own = all.filter(([{ enabled }]) => enabled).map(([, rule]) => withSignals(rule));
  return [...own, ...custom.map(customRule), ...signalled];
}

function withSignals(rule: Rule): Rule {
  return {
    ...rule,
    find: (window, isOpen) => [...rule.find(window, isOpen), ...findings(window.signals, rule.type)],
  };
}

function signalRule(type: IncidentType): Rule {
  return {
    type,
    forMs: 0,
    clearMs: SIGNAL_CLEAR_MS,
    windowMs: 0,
    find: ({ signals }) => findings(signals, type),
  };
}

function findings(signals: readonly Signal[], type: IncidentType): Finding[] {
  return signals
    .filter((signal) => signal.type === type)
    .map(({ scope, text, severity = SIGNAL_SEVERITY[type], name }) => ({
      scope,
      severity,
      text,
      sure: true,
      ...(name !== undefined && { name }),
    }));
}
