import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { initTemplate, jsonSchema, loadConfig, reference } from '../../src/config';
import { allKeys } from '../../src/config/nearest';

const CONFIG = resolve(__dirname, '../../config');

describe('what is generated from the schema', () => {
  it('is up to date (npm run generate)', () => {
    expect(readFileSync(join(CONFIG, 'botctl.schema.json'), 'utf8')).toBe(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
    expect(readFileSync(join(CONFIG, 'REFERENCE.md'), 'utf8')).toBe(reference());
  });

  it('describes every key', () => {
    const leaves = allKeys().filter((key) => !allKeys().some((other) => other.startsWith(`${key}.`)));
    expect(leaves.length).toBeGreaterThan(40);
    for (const key of leaves) expect(reference()).toContain(`| \`${key}\` |`);
    // A row without a description ends with an empty cell.
    expect(reference()).not.toMatch(/^\| `.*\| +\|$/m);
  });

  it('refuses unknown keys in an editor too', () => {
    expect(jsonSchema()).toMatchObject({
      type: 'object',
      additionalProperties: false,
      properties: { http: { additionalProperties: false, properties: { port: { type: 'integer', maximum: 65_535 } } } },
    });
  });
});

describe('the template of `botctl init`', () => {
  it('is a config that works', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'botctl-template-'));
    try {
      writeFileSync(join(dir, 'my bot.js'), '');
      writeFileSync(join(dir, 'botctl.yaml'), initTemplate({ name: 'my "bot"', entry: './my bot.js' }));
      const { config } = await loadConfig({ cwd: dir, env: { DISCORD_TOKEN: 'a-token' } });
      expect(config.bot).toMatchObject({ name: 'my "bot"', entry: join(dir, 'my bot.js'), token: 'a-token' });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
