export { HttpListenError, HttpRequestError, HttpServer, type HttpMetrics, type HttpServerOptions } from './server';
