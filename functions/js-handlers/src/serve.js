'use strict';
/**
 * The function on this machine, behind Lambda's own Invoke API: `npm start`, and `AWS_ENDPOINT_URL_LAMBDA` of whoever
 * calls it.
 */

const http = require('node:http');
const { handler } = require('./index');

const TIMEOUT = 15_000;

function serve(port, handle = handler) {
  const server = http.createServer(async (request, response) => {
    const reply = (status, headers, body) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    if (request.method !== 'POST' || !/^\/2015-03-31\/functions\/[^/]+\/invocations$/.test(request.url)) return reply(404, {}, {});
    try {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const until = Date.now() + TIMEOUT;
      const event = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      reply(200, {}, await handle(event, { getRemainingTimeInMillis: () => until - Date.now() }));
    } catch (error) {
      reply(200, { 'x-amz-function-error': 'Unhandled' }, { errorMessage: error.message, errorType: error.name });
    }
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

module.exports = { serve };

if (require.main === module) {
  serve(Number(process.env.PORT ?? 9001)).then((server) => console.log(`http://127.0.0.1:${server.address().port}`));
}
