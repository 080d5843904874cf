import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { sign } from 'aws4';

const REGION = 'eu-central-1';
const NAME = 'backups';
const LATE_MS = 15 * 60_000;
/** So few that listing takes several pages. */
const PAGE = 3;
const MIN_PART = 5 * 1024 * 1024;

export const KEYS = { accessKeyId: 'AKIATEST', secretAccessKey: 's3cr3t/of+the+bucket' };

/** What goes wrong with the next requests that match. */
export interface Trouble {
  method: string;
  /** In the path and query. */
  match: RegExp;
  /** hang up: without an answer; cut: in the middle of the body; lost: the work is done, its answer is not given; fake: status 200 with an error in it. */
  how: 'hang up' | 'cut' | 'lost' | 'fake' | number;
  times: number;
}

/** A bucket as S3 has it, on loopback; signatures are checked by a library that is not the one under test. */
export class Bucket {
  readonly objects = new Map<string, Buffer>();
  readonly uploads = new Map<string, { key: string; parts: Map<number, Buffer> }>();
  /** Method, path and query of each request. */
  readonly requests: string[] = [];
  readonly troubles: Trouble[] = [];
  readonly #server: Server = createServer((request, response) => {
    this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  #uploads = 0;

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  get settings() {
    const { port } = this.#server.address() as AddressInfo;
    return { endpoint: `http://127.0.0.1:${port}/${NAME}`, region: REGION, prefix: 'my-bot', ...KEYS };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    this.requests.push(`${method} ${url}`);
    const body = await buffer(request);
    const refused = checkSignature(request, body);
    if (refused !== null) {
      fail(response, 403, refused);
      return;
    }
    const { pathname, searchParams } = new URL(url, 'http://localhost');
    const [, bucket, ...rest] = decodeURIComponent(pathname).split('/');
    if (bucket !== NAME) {
      fail(response, 404, 'NoSuchBucket');
      return;
    }
    const trouble = this.troubles.find(({ times, match, ...one }) => {
      return times > 0 && one.method === method && match.test(url);
    });
    if (trouble !== undefined) trouble.times--;
    if (typeof trouble?.how === 'number') fail(response, trouble.how, 'SlowDown');
    else if (trouble?.how === 'fake') fail(response, 200, 'InternalError');
    else if (trouble?.how === 'hang up') response.destroy();
    else {
      if (trouble?.how === 'lost') response.end = () => response.destroy();
      const end = trouble?.how === 'cut' ? (content: Buffer) => cut(response, content) : null;
      this.#serve(method, rest.join('/'), searchParams, body, request.headers.range, response, end);
    }
  }

  #serve(
    method: string,
    key: string,
    query: URLSearchParams,
    body: Buffer,
    range: string | undefined,
    response: ServerResponse,
    send: ((content: Buffer) => void) | null,
  ): void {
    const upload = query.get('uploadId');
    const part = Number(query.get('partNumber'));
    const object = this.objects.get(key);
    if (method === 'GET' && key === '') return xml(response, this.#list(query));
    if (method === 'POST' && query.has('uploads')) {
      const id = `upload-${++this.#uploads}`;
      this.uploads.set(id, { key, parts: new Map() });
      return xml(response, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
    }
    if (upload !== null) {
      const found = this.uploads.get(upload);
      if (found?.key !== key) return fail(response, 404, 'NoSuchUpload');
      if (method === 'DELETE') {
        this.uploads.delete(upload);
        response.writeHead(204).end();
      } else if (method === 'PUT') {
        found.parts.set(part, body);
        response.setHeader('etag', etag(body));
        response.end();
      } else this.#complete(response, upload, found, body.toString());
      return;
    }
    if (method === 'PUT') {
      this.objects.set(key, body);
      response.setHeader('etag', etag(body));
      response.end();
    } else if (method === 'DELETE') {
      this.objects.delete(key);
      response.writeHead(204).end();
    } else if (object === undefined) fail(response, 404, 'NoSuchKey');
    else {
      const [, from = 0, to = object.length - 1] = /bytes=(\d+)-(\d+)/.exec(range ?? '') ?? [];
      const content = object.subarray(Number(from), Number(to) + 1);
      response.writeHead(range === undefined ? 200 : 206, { 'content-length': content.length });
      if (method === 'HEAD') response.end();
      else if (send === null) response.end(content);
      else send(content);
    }
  }

  #complete(
    response: ServerResponse,
    id: string,
    { key, parts }: { key: string; parts: Map<number, Buffer> },
    order: string,
  ): void {
    const named = [...order.matchAll(/<Part>.*?<\/Part>/gs)].map(([text]) => ({
      number: Number(/<PartNumber>(\d+)</.exec(text)?.[1]),
      tag: /<ETag>(?:&quot;|")?([0-9a-f]+)/.exec(text)?.[1],
    }));
    const bodies = named.map(({ number }) => parts.get(number));
    const wrong = named.some(({ tag, number }) => `"${tag ?? ''}"` !== etag(parts.get(number) ?? Buffer.alloc(0)));
    if (wrong || bodies.length === 0) return fail(response, 400, 'InvalidPart');
    if (bodies.slice(0, -1).some((one) => (one?.length ?? 0) < MIN_PART)) return fail(response, 400, 'EntityTooSmall');
    const whole = Buffer.concat(bodies.map((one) => one ?? Buffer.alloc(0)));
    this.objects.set(key, whole);
    this.uploads.delete(id);
    xml(
      response,
      `<CompleteMultipartUploadResult><Key>${key}</Key><ETag>${etag(whole)}</ETag></CompleteMultipartUploadResult>`,
    );
  }

  #list(query: URLSearchParams): string {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? '';
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, PAGE);
    const more = keys.length > page.length;
    const contents = page.map(
      (key) =>
        `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag><Size>${this.objects.get(key)!.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
    );
    const next = more ? `<NextContinuationToken>${page.at(-1) ?? ''}</NextContinuationToken>` : '';
    return `<ListBucketResult><Name>${NAME}</Name><Prefix>${prefix}</Prefix><KeyCount>${page.length}</KeyCount><IsTruncated>${more}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`;
  }
}

/** @returns code of the error; null: it is signed as it should be */
function checkSignature(request: IncomingMessage, body: Buffer): string | null {
  const { authorization = '', ...headers } = request.headers;
  const [, id, day, names = ''] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d+)\/[^,]+, SignedHeaders=([^,]+), Signature=/.exec(authorization) ?? [];
  if (id !== KEYS.accessKeyId) return 'InvalidAccessKeyId';
  const at = String(headers['x-amz-date']).replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  if (!(Math.abs(Date.now() - Date.parse(at)) < LATE_MS) || !at.replaceAll('-', '').startsWith(day ?? 'none')) {
    return 'RequestTimeTooSkewed';
  }
  const sum = String(headers['x-amz-content-sha256']);
  if (sum !== 'UNSIGNED-PAYLOAD' && sum !== createHash('sha256').update(body).digest('hex')) {
    return 'XAmzContentSHA256Mismatch';
  }
  const signed = Object.fromEntries(names.split(';').map((name) => [name, String(headers[name])]));
  const asked = {
    service: 's3',
    region: REGION,
    method: request.method ?? '',
    path: request.url ?? '',
    headers: signed,
  };
  // Its types leave this out: what was signed counts, also where the library would not sign it.
  const expected = sign({ ...asked, ...{ extraHeadersToInclude: { range: true } } }, KEYS);
  return expected.headers?.['Authorization'] === authorization ? null : 'SignatureDoesNotMatch';
}

function etag(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}

function xml(response: ServerResponse, content: string): void {
  response.setHeader('content-type', 'application/xml');
  response.end(`<?xml version="1.0" encoding="UTF-8"?>${content}`);
}

function fail(response: ServerResponse, status: number, code: string): void {
  response.statusCode = status;
  xml(response, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}

function cut(response: ServerResponse, content: Buffer): void {
  response.write(content.subarray(0, content.length >> 1), () => response.destroy());
}
