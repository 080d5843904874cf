export { HttpListenError, HttpRequestError } from './errors';
export { HttpServer, type HttpMetrics, type HttpServerOptions } from './server';
