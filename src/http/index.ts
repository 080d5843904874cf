export { HttpListenError, HttpServer, type HttpServerOptions } from './server';
