/** The page cannot be served; the message names the key to change. */
export class HttpListenError extends Error {
  override readonly name = 'HttpListenError';
  readonly exitCode = 1;
  constructor(
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A request that cannot be answered as it is; told to whoever sent it. */
export class HttpRequestError extends Error {
  override readonly name = 'HttpRequestError';
  constructor(
    readonly status: number,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** Why a server cannot listen, in the words of the config. */
export function explainListen(error: NodeJS.ErrnoException, host: string, port: number): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      return new HttpListenError(
        `port ${port} on ${host} is taken by another program`,
        'set http.port in botctl.yaml to a free port, or to 0 for any free one',
        { cause: error },
      );
    case 'EACCES':
      return new HttpListenError(
        `port ${port} on ${host} may not be opened by this user`,
        'set http.port in botctl.yaml to a port above 1023',
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new HttpListenError(
        `${host} is not an address of this machine`,
        'set http.host in botctl.yaml to 127.0.0.1, or to 0.0.0.0 for all addresses',
        { cause: error },
      );
    default:
      return error;
  }
}
