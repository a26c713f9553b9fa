// A server that answers as it is told, and keeps what it was asked.
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  path: string;
  headers: http.IncomingHttpHeaders;
  body: { url: string; data: Record<string, unknown> };
}

export type Answer = { status?: number; body?: unknown; headers?: Record<string, string>; hang?: true; drop?: true };

export async function startServer() {
  const asked: Asked[] = [];
  let answers: Answer[] = [];
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    asked.push({ path: request.url ?? '', headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) as Asked['body'] });
    // The last answer stands for all that follow.
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? {};
    if (answer.hang) return;
    if (answer.drop) return void request.socket.destroy();
    const body = answer.body ?? reply({});
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answers(...next: Answer[]) {
      answers = next;
      asked.length = 0;
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** As the functions reply: flat, and the fields again under `data`. */
export function reply(fields: Record<string, unknown>) {
  return { code: 0, msg: '成功', request_id: 'req-1', ...fields, data: fields };
}

export function failure(code: number, status: number, fields: Record<string, unknown> = {}): Answer {
  return { status, body: { code, msg: `text of ${code}`, request_id: 'req-2', ...fields, data: fields } };
}
