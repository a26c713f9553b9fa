// node backend.mjs order NUMBER | quote NUMBER | serve
import { open, mkdir } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { VkPay, VkPayError, openDelivery, signQuote } from 'paybundle-server';

const { PAY_URL, PAY_KEY, QUOTE_SECRET, DELIVERY_KEY, DONE_DIR = 'done', PORT = '8080' } = process.env;
const PRICES = { 'course-1': 3000 }; // fen

// Creates an order. The client sends it again by itself where the reply is lost: the same number is the same order.
async function createOrder(number) {
  const pay = new VkPay({ baseUrl: PAY_URL, key: PAY_KEY });
  return pay.createPayment({
    provider: 'wxpay', out_trade_no: number, total_fee: PRICES['course-1'], subject: 'Course 1', type: 'course',
    user_id: 'u1', custom: { course_id: 'course-1' }, needQRcode: true,
  });
}

// Signs what a page may order by itself, for ten minutes.
function quote(number) {
  const claims = { out_trade_no: number, total_fee: PRICES['course-1'], type: 'course', custom: { course_id: 'course-1' } };
  return signQuote(claims, { secret: QUOTE_SECRET, expiresInSeconds: 600 });
}

// Does an order once. The file stands for a row of your database, in one transaction with the work.
async function enrolOnce(id, order) {
  if (PRICES[order.course_id] !== order.total_fee) return false;
  await mkdir(DONE_DIR, { recursive: true });
  try {
    await (await open(path.join(DONE_DIR, id), 'wx')).close();
    console.log(`enrolled ${order.out_trade_no}`);
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  return true;
}

async function bodyOf(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > 65536) throw new VkPayError({ code: 413, status: 413, message: 'too large' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function receive(request) {
  try {
    const { order, idempotencyKey } = openDelivery(await bodyOf(request), request.headers, { key: DELIVERY_KEY });
    return (await enrolOnce(idempotencyKey, order)) ? [200, 0, 'ok'] : [200, 1, 'not the price of the course'];
  } catch (error) {
    if (error instanceof VkPayError) return [error.status, error.code, error.message];
    console.error(error);
    return [500, 1, 'try again'];
  }
}

const [command, number] = process.argv.slice(2);
if (command === 'order') {
  console.log((await createOrder(number)).orderInfo.codeUrl); // show it as a QR code
} else if (command === 'quote') {
  console.log(quote(number));
} else {
  const server = http.createServer(async (request, response) => {
    const [status, code, msg] = await receive(request);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code, msg }));
  });
  server.listen(Number(PORT), '127.0.0.1');
}
