import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import type { Status } from '../../src/control/contract';
import { until } from '../support/until';
import { aBotInTrouble, aServingBot } from './support/bots';
import { launchBrowser } from './support/browser';
import { Stage } from './support/stage';

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const START_MS = 120_000;
const TOKEN = 'correct-horse-battery';

interface Violation {
  id: string;
  impact: string | null;
  nodes: { html: string }[];
}

/** Why no browser runs on this machine, or null. */
function findObstacle(): string | null {
  const probe = resolve(__dirname, 'support/probe-browser.ts');
  const { status, stderr } = spawnSync(process.execPath, ['--require', 'tsx/cjs', probe], {
    encoding: 'utf8',
    timeout: START_MS,
  });
  return status === 0 ? null : stderr || 'it did not start in time';
}

const obstacle = findObstacle();
if (obstacle !== null) console.warn(`The dashboard is not tested: no Chromium runs on this machine.\n${obstacle}`);

describe('the dashboard in a browser', () => {
  let browser: Browser | null = null;
  let stage: Stage;
  let page: Page;
  /** What the browser complains of: errors, failed requests, violations of the policy. */
  let complaints: string[];

  beforeAll(async () => {
    if (obstacle === null) browser = await launchBrowser();
  }, START_MS);
  afterAll(() => browser?.close());

  beforeEach(() => {
    complaints = [];
    stage = new Stage(aServingBot(4, 4, Date.now()));
  });
  afterEach(async () => {
    await page.close();
    await stage.close();
  });

  /** Skipped where no browser runs; the warning says why. */
  function inBrowser(name: string, test: () => Promise<void>): void {
    (obstacle === null ? it : it.skip)(name, async () => {
      if (browser === null) throw new Error('no browser');
      page = await browser.newPage();
      page.on('console', (message) => {
        if (['error', 'warn'].includes(message.type())) complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(String(error)));
      await test();
    });
  }

  async function open(status?: Status): Promise<void> {
    if (status !== undefined) stage.status = status;
    await page.goto(await stage.open(), { waitUntil: 'load' });
    await see(() => textOf('#verdict'), /./);
  }

  const textOf = (selector: string): Promise<string> =>
    page.evaluate(
      `[...document.querySelectorAll(${JSON.stringify(selector)})].map((n) => n.textContent).join(' | ')`,
    ) as Promise<string>;
  const countOf = (selector: string): Promise<number> =>
    page.evaluate(`document.querySelectorAll(${JSON.stringify(selector)}).length`) as Promise<number>;
  const isSeen = (selector: string): Promise<boolean> =>
    page.evaluate(`document.querySelector(${JSON.stringify(selector)}).checkVisibility()`) as Promise<boolean>;
  const labelOf = (selector: string): Promise<string> =>
    page.evaluate(`document.querySelector(${JSON.stringify(selector)}).getAttribute('aria-label')`) as Promise<string>;
  const focused = (): Promise<string> =>
    page.evaluate(
      `document.activeElement.getAttribute('aria-label') ?? document.activeElement.tagName`,
    ) as Promise<string>;

  async function see(look: () => Promise<string>, expected: RegExp): Promise<void> {
    let seen = '';
    await until(
      async () => {
        seen = await look();
        return expected.test(seen);
      },
      { what: () => `${expected.source}, but ${seen}` },
    );
  }

  async function violations(): Promise<string[]> {
    await page.evaluate(AXE);
    const found = (await page.evaluate(
      `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }).then((result) => result.violations)`,
    )) as Violation[];
    return found.map(({ id, impact, nodes }) => `${impact ?? ''} ${id}: ${nodes[0]?.html ?? ''}`);
  }

  inBrowser('says whether the bot is well, what is wrong and what is being done', async () => {
    await open();
    expect(await textOf('#verdict')).toBe('well');
    expect(await textOf('#lead')).toMatch(/^16 of 16 shards ready in 4 clusters, 24,646 guilds, up 4 d 12 h$/);
    expect(await page.title()).toBe('my-bot is well');
    expect(await isSeen('#problems')).toBe(false);
    // Without a reload.
    stage.status = aBotInTrouble(4, 4, Date.now());
    await see(() => textOf('#verdict'), /^degraded$/);
    expect(await page.title()).toBe('▲ my-bot is degraded');
    expect(await textOf('#problem-list li')).toContain('Cluster 1 died (exit code 134 (out of memory))');
    expect(await textOf('#action-list li')).toMatch(/Cluster 1 starts again (in \d+ s|now) \| Shards 10, 11 resume/);
    expect(await textOf('#legend li')).toBe('9 ready | 4 dead | 2 resuming | 1 stale');
    expect(await textOf('#health tbody tr:first-child')).toContain('unhealthy');
    expect(await textOf('#way')).toBe('live');
    expect(complaints).toEqual([]);
  });

  inBrowser('moves through the shards with the keyboard, and says what it knows of each', async () => {
    await open();
    await page.focus('#grid [tabindex="0"]');
    expect(await focused()).toBe('Shard 0 ready');
    await page.keyboard.press('ArrowRight');
    expect(await focused()).toBe('Shard 1 ready');
    await page.keyboard.press('End');
    expect(await focused()).toBe('Shard 15 ready');
    await page.keyboard.press('ArrowUp');
    expect(await focused()).toMatch(/^Shard ([0-9]|1[0-4]) ready$/);
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowLeft');
    expect(await focused()).toBe('Shard 0 ready');
    expect(await textOf('#detail')).toMatch(/^Shard 0: ready, cluster 0, 1,540 guilds, ping \d+ ms/);
    // One stop for Tab, however many shards there are.
    await page.keyboard.press('Tab');
    expect(await focused()).not.toMatch(/^Shard/);
    expect(await countOf('#grid [tabindex="0"]')).toBe(1);
  });

  inBrowser('draws the curves, with a summary in words, and reads single values', async () => {
    await open();
    await see(async () => String(await countOf('.chart .curve')), /^1[1-9]$/);
    const label = await labelOf('.chart-plot');
    expect(label).toMatch(/^Gateway events from \d\d:\d\d to \d\d:\d\d\. now [\d,]+\/s, lowest [\d,]+\/s, highest/);
    const before = await textOf('.chart-now');
    await page.focus('.chart-plot');
    for (let i = 0; i < 9; i++) await page.keyboard.press('ArrowLeft');
    await see(() => textOf('#announcer'), /^\d\d:\d\d: [\d,]+\/s$/);
    expect(await textOf('.chart-now')).not.toBe(before);
    await page.click('#ranges label:nth-of-type(2)');
    await see(async () => {
      const [from = '', to = ''] = (await textOf('.chart:first-child .chart-axis span')).split(' | ');
      return from === to ? 'a day' : `${from} to ${to}`;
    }, /a day/);
    expect(complaints).toEqual([]);
  });

  inBrowser('says so when there is nothing to draw yet', async () => {
    stage = new Stage(aServingBot(1, 2, Date.now()), { curves: false });
    await open();
    await see(() => labelOf('.chart-plot'), /nothing was measured/);
    expect(complaints).toEqual([]);
  });

  inBrowser('shows 2,000 shards in 250 clusters, and leads to one of them', async () => {
    await open(aBotInTrouble(250, 8, Date.now()));
    expect(await countOf('#grid .tile')).toBe(2_000);
    expect(await countOf('#clusters tbody tr:not(.note)')).toBe(16);
    expect(await textOf('#clusters tbody')).toContain('backoff');
    await page.click('#more-clusters');
    await until(async () => (await countOf('#clusters tbody tr:not(.note)')) === 250);
    await page.type('#find-shard', '1234');
    await page.keyboard.press('Enter');
    await until(async () => (await focused()) === 'Shard 1234 ready');
    expect(await textOf('#troubled li')).toContain('225 stale');
    expect(complaints).toEqual([]);
  });

  inBrowser('takes what a bot says for text', async () => {
    const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    const status = aBotInTrouble(2, 2, Date.now());
    await open({
      ...status,
      bot: { ...status.bot, name: evil },
      problems: [evil],
      actions: [{ text: evil, at: null }],
      clusters: status.clusters.map((cluster) => ({ ...cluster, release: evil, notices: [evil], lastExit: evil })),
    });
    expect(await textOf('#name')).toBe(evil);
    expect(await countOf('img, main script')).toBe(0);
    expect(complaints).toEqual([]);
  });

  inBrowser('outlives the supervisor, says so, and goes on when it is back', async () => {
    await open();
    const { port } = new URL(stage.url);
    await stage.close();
    await see(() => textOf('#lost'), /The supervisor does not answer/);
    expect(await textOf('#name')).toBe('my-bot');
    stage = new Stage(aBotInTrouble(4, 4, Date.now()));
    await stage.open(Number(port));
    await see(() => textOf('#verdict'), /degraded/);
    expect(await isSeen('#lost')).toBe(false);
  });

  inBrowser('asks for the token as the browser does, and then is as live as without', async () => {
    stage = new Stage(aServingBot(1, 2, Date.now()), { token: TOKEN });
    await page.authenticate({ username: 'me', password: TOKEN });
    await open();
    await see(() => textOf('#way'), /^live$/);
    expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
  });

  for (const scheme of ['light', 'dark']) {
    for (const [clusters, perCluster] of [
      [4, 4],
      [250, 8],
    ] as const) {
      inBrowser(`is accessible: ${scheme}, ${clusters * perCluster} shards`, async () => {
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        await open(aBotInTrouble(clusters, perCluster, Date.now()));
        await see(async () => String(await countOf('.chart .curve')), /^1[1-9]$/);
        expect(await violations()).toEqual([]);
      });
    }
  }

  inBrowser('fits a phone: nothing is wider than the screen', async () => {
    await page.setViewport({ width: 360, height: 740, isMobile: true, hasTouch: true });
    await open(aBotInTrouble(4, 4, Date.now()));
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    expect(await violations()).toEqual([]);
  });
});
