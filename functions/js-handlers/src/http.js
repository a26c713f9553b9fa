'use strict';
/** `uniCloud.httpclient.request`: what handlers use of urllib, with a key that is the same each time. */

const { HandlerError, isPlain } = require('./values');

const TIMEOUT = 5000;
const MAX_ANSWER = 5 * 1024 * 1024;
const KNOWN = [
  'method', 'data', 'content', 'contentType', 'dataType', 'headers', 'timeout', 'dataAsQueryString', 'followRedirect', 'auth',
];

const entries = (data) =>
  Object.entries(data)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, value !== null && typeof value === 'object' ? JSON.stringify(value) : String(value)]);

async function request(session, address, options = {}) {
  const unknown = Object.keys(options).filter((name) => !KNOWN.includes(name));
  if (unknown.length > 0) throw new HandlerError(`uniCloud.httpclient.request: ${unknown.join(', ')} is not supported here`);
  const { data, content, contentType, dataType, dataAsQueryString, followRedirect } = options;
  const method = (options.method ?? 'GET').toUpperCase();
  const url = new URL(address);
  // fetch refuses an address with a password, and says the password.
  const named = url.username || url.password ? decodeURIComponent(`${url.username}:${url.password}`) : undefined;
  const auth = options.auth ?? named;
  [url.username, url.password] = ['', ''];
  const headers = new Headers(options.headers);
  let body = content;
  if (body === undefined && data !== undefined) {
    if (!isPlain(data)) body = data;
    else if (method === 'GET' || method === 'HEAD' || dataAsQueryString) {
      entries(data).forEach(([name, value]) => url.searchParams.append(name, value));
    } else if (contentType === 'json' || headers.get('content-type')?.startsWith('application/json')) {
      body = JSON.stringify(data);
      if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    } else {
      body = new URLSearchParams(entries(data)).toString();
      if (!headers.has('content-type')) headers.set('content-type', 'application/x-www-form-urlencoded');
    }
  }
  if (contentType !== undefined && contentType !== 'json' && !headers.has('content-type')) headers.set('content-type', contentType);
  if (contentType === 'json' && body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
  if (auth !== undefined) headers.set('authorization', `Basic ${Buffer.from(auth).toString('base64')}`);
  // Not the query: it may have the time of day in it.
  if (!headers.has('idempotency-key')) {
    headers.set('idempotency-key', session.requestKey(`${method} ${url.origin}${url.pathname}`));
  }
  const timeout = [options.timeout ?? TIMEOUT].flat().reduce((most, ms) => Math.max(most, ms), 0);
  const answer = await fetch(url, {
    method,
    headers,
    body,
    redirect: followRedirect ? 'follow' : 'manual',
    signal: AbortSignal.any([session.signal, AbortSignal.timeout(timeout)]),
  });
  const chunks = [];
  let length = 0;
  for await (const chunk of answer.body ?? []) {
    length += chunk.length;
    if (length > MAX_ANSWER) throw new HandlerError('uniCloud.httpclient.request: an answer of more than 5 MB');
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  const { status } = answer;
  const received = Object.fromEntries(answer.headers);
  let parsed = bytes;
  if (dataType === 'text') parsed = bytes.toString('utf8');
  if (dataType === 'json') {
    try {
      parsed = bytes.length === 0 ? null : JSON.parse(bytes.toString('utf8'));
    } catch (cause) {
      throw new HandlerError(`uniCloud.httpclient.request: the answer (HTTP ${status}) is no JSON`, { cause });
    }
  }
  return { status, headers: received, data: parsed, res: { status, statusCode: status, headers: received, data: parsed } };
}

module.exports = { request };
