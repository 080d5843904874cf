/** npm run generate: writes what is made from the config's schema. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchema, reference } from '../src/config';

writeFileSync(join(__dirname, 'botctl.schema.json'), `${JSON.stringify(jsonSchema(), null, 2)}\n`);
writeFileSync(join(__dirname, 'REFERENCE.md'), reference());
