/** npm run generate: writes what is made from the config's schema. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchema, reference } from '.';

const out = join(__dirname, '..', '..', 'config');
writeFileSync(join(out, 'botctl.schema.json'), `${JSON.stringify(jsonSchema(), null, 2)}\n`);
writeFileSync(join(out, 'REFERENCE.md'), reference());
