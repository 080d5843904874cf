// Preloaded into botctl: an error that nobody handles, in the supervisor, when it is asked for.
if (process.argv[2] === 'start') {
  process.on('SIGUSR2', () => {
    setImmediate(() => Promise.reject(new Error('rejected for the test')));
    setTimeout(() => {
      throw new Error('thrown for the test');
    }, 100);
  });
}
