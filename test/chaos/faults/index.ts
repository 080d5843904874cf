import type { Fault } from '../fault';
import { clusterFaults } from './clusters';
import { gatewayFaults } from './gateway';
import { hostFaults } from './host';
import { restFaults } from './rest';
import { serverFaults } from './servers';
import { supervisorFaults } from './supervisor';
import { webhookFaults } from './webhook';

export const FAULTS: readonly Fault[] = [
  ...clusterFaults,
  ...gatewayFaults,
  ...restFaults,
  ...serverFaults,
  ...hostFaults,
  ...supervisorFaults,
  ...webhookFaults,
];
