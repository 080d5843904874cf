import { launchBrowser } from './browser';

/** Can a browser run here? Exit code 0, or the reason. Jest wants to know before it collects the tests. */
launchBrowser()
  .then((browser) => browser.close())
  .catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
