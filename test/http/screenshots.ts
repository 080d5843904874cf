/**
 * Takes the pictures of the dashboard in config/example: `npm run screenshots`. With an argument: into that folder.
 */
import { resolve } from 'node:path';
import type { Status } from '../../src/control/contract';
import { aBotInTrouble, aServingBot } from './support/bots';
import { launchBrowser } from './support/browser';
import { Stage } from './support/stage';

interface Shot {
  name: string;
  width: number;
  /** Absent: the whole page. */
  height?: number;
  scheme: 'light' | 'dark';
  status: (now: number) => Status;
  isMobile?: boolean;
}

const SHOTS: readonly Shot[] = [
  { name: 'dashboard-light', width: 1240, height: 1090, scheme: 'light', status: (now) => aServingBot(4, 4, now) },
  { name: 'dashboard-dark', width: 1240, height: 1180, scheme: 'dark', status: (now) => aBotInTrouble(4, 4, now) },
  {
    name: 'dashboard-2000-shards',
    width: 1240,
    height: 1400,
    scheme: 'dark',
    status: (now) => aBotInTrouble(250, 8, now),
  },
  {
    name: 'dashboard-phone',
    width: 390,
    height: 844,
    scheme: 'light',
    status: (now) => aBotInTrouble(4, 4, now),
    isMobile: true,
  },
];

async function main(folder: string): Promise<void> {
  const browser = await launchBrowser();
  try {
    for (const { name, width, height, scheme, status, isMobile = false } of SHOTS) {
      const stage = new Stage(status(Date.now()));
      const page = await browser.newPage();
      try {
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        await page.setViewport({ width, height: height ?? 1000, isMobile, deviceScaleFactor: isMobile ? 2 : 1 });
        await page.goto(await stage.open(), { waitUntil: 'load' });
        await page.waitForFunction(`document.querySelectorAll('.chart .curve').length >= 11`);
        const path: `${string}.png` = `${resolve(folder, name)}.png`;
        await page.screenshot({ path, fullPage: height === undefined });
        console.log(path);
      } finally {
        await page.close();
        await stage.close();
      }
    }
  } finally {
    await browser.close();
  }
}

void main(process.argv[2] ?? resolve(__dirname, '../../config/example'));
