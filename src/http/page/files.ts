import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pageDocument } from './document';
import { PAGE_STYLE } from './style';

export interface PageFile {
  type: string;
  body: string;
}

/** The page's scripts as they are compiled, beside this file. */
const SCRIPTS = join(__dirname, 'client');
const MODULE = '.mjs';

/** What makes up the page, by path; read once. `folder`: where the compiled scripts are. */
export function readPageFiles(folder = SCRIPTS): ReadonlyMap<string, PageFile> {
  const scripts = readdirSync(folder).filter((name) => name.endsWith(MODULE));
  const files = new Map<string, PageFile>([
    ['/', { type: 'text/html; charset=utf-8', body: pageDocument(scripts.map((name) => `/page/${name}`)) }],
    ['/page/style.css', { type: 'text/css; charset=utf-8', body: PAGE_STYLE }],
  ]);
  for (const name of scripts) {
    // Source maps stay at home.
    const body = readFileSync(join(folder, name), 'utf8').replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
    files.set(`/page/${name}`, { type: 'text/javascript; charset=utf-8', body });
  }
  return files;
}

/** Nothing is loaded from elsewhere, nobody may frame the page, only its own files run. */
export const PAGE_POLICY = [
  `default-src 'none'`,
  `script-src 'self'`,
  `style-src 'self'`,
  `connect-src 'self'`,
  `img-src data:`,
  `base-uri 'none'`,
  `form-action 'none'`,
  `frame-ancestors 'none'`,
].join('; ');
