// Who may import whom: the rooms of the house, from the top floor down.
const MAY_IMPORT = {
  cli: ['supervisor', 'control', 'config', 'capacity', 'deploy', 'incidents', 'maintenance', 'logging', 'sandbox'],
  supervisor: [
    ...['control', 'config', 'capacity', 'data', 'deploy', 'health', 'http', 'incidents', 'ipc', 'logging'],
    ...['maintenance', 'metrics', 'recovery', 'rest-guard', 'sharding'],
  ],
  http: ['control', 'health', 'metrics'],
  recovery: ['incidents', 'ipc'],
  incidents: ['metrics'],
  control: ['capacity', 'incidents', 'rest-guard'],
  config: ['incidents'],
  deploy: ['sharding', 'ipc'],
  maintenance: ['data'],
  sharding: ['ipc'],
  health: ['ipc'],
  metrics: ['ipc'],
  data: ['ipc'],
  'rest-guard': ['ipc'],
  agent: ['ipc', 'metrics'],
  sdk: ['data', 'ipc'],
  capacity: [],
  ipc: [],
  logging: [],
  sandbox: [],
};

// Looks at what `start` would find, before there is a supervisor.
const EXCEPT = '^src/cli/commands/doctor.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'every-room-is-listed',
      severity: 'error',
      from: {},
      to: { path: '^src/[^/]+/', pathNot: `^src/(${Object.keys(MAY_IMPORT).join('|')})/` },
    },
    ...Object.entries(MAY_IMPORT).map(([room, others]) => ({
      name: `not-for-${room}`,
      severity: 'error',
      from: { path: `^src/${room}/`, pathNot: EXCEPT },
      to: { path: '^(src/[^/]+|bin|test)/', pathNot: `^src/(${[room, ...others].join('|')})/` },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
