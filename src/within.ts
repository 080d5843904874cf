/**
 * What the work resolves to, if it does so in time (ms). The work itself goes on; the wait alone keeps no process alive.
 * @throws what the work rejects with, or an Error with the message
 */
export async function within<T>(
  ms: number,
  work: Promise<T>,
  message = `no answer within ${ms / 1_000} s`,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), ms).unref();
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
