import puppeteer, { type Browser } from 'puppeteer-core';

const ARGS = ['--no-sandbox', '--no-zygote', '--disable-dev-shm-usage', '--disable-gpu', '--font-render-hinting=none'];
const LAUNCH_TIMEOUT_MS = 60_000;
/** Makes the package unpack the shared libraries that it brings, and name their folder in LD_LIBRARY_PATH. */
const OWN_LIBRARIES = { AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' };

/** A headless Chromium from the npm registry. CHROMIUM_PATH names another one. @throws when none can run here */
export async function launchBrowser(): Promise<Browser> {
  const own = process.env['CHROMIUM_PATH'];
  if (own !== undefined && own !== '') return launch(own, process.env);
  try {
    return await launch(await unpack(), process.env);
  } catch (error) {
    // A machine without NSS and the like.
    const { path, env } = await withOwnLibraries();
    return await launch(path, env).catch(() => {
      throw error;
    });
  }
}

async function withOwnLibraries(): Promise<{ path: string; env: NodeJS.ProcessEnv }> {
  const before = { ...process.env };
  Object.assign(process.env, OWN_LIBRARIES);
  try {
    const path = await unpack();
    return { path, env: { ...before, LD_LIBRARY_PATH: '/tmp/al2023/lib' } };
  } finally {
    delete process.env['AWS_EXECUTION_ENV'];
    Object.assign(process.env, before);
  }
}

async function unpack(): Promise<string> {
  const { default: chromium } = await import('@sparticuz/chromium');
  return chromium.executablePath();
}

function launch(executablePath: string, env: NodeJS.ProcessEnv): Promise<Browser> {
  return puppeteer.launch({ executablePath, args: ARGS, headless: 'shell', env, timeout: LAUNCH_TIMEOUT_MS });
}
