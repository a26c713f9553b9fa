// Alipay's gateway, as node's crypto and npm alipay-sdk understand it.
//
// It verifies every request of ours by its signature and its shape, answers signed, and sends callbacks, genuine and
// forged. What it found wrong is in /judge/verdicts. It prints its port, and ends when its standard input does.
// Run it with TZ=Asia/Shanghai: the SDK writes local time.

import {
  X509Certificate, createCipheriv, createDecipheriv, createPrivateKey, createSign, createVerify, generateKeyPairSync,
  randomInt,
} from 'node:crypto';
import { createServer } from 'node:http';
import { AlipaySdk } from 'alipay-sdk';

let keys;
let alipay; // { private, sn }
let app; // { public, sn, rootSn }
let judges; // the SDK, by whether in certificate mode
const trades = new Map();
const verdicts = [];

class Refused extends Error {
  constructor(what, code = '40002', subCode = 'isv.invalid-parameter') {
    super(what);
    Object.assign(this, { code, subCode });
  }
}

function check(holds, ...why) {
  if (!holds) throw new Refused(...why);
}

const pad = (number) => String(number).padStart(2, '0');

function spaced(date = new Date()) {
  const day = [date.getFullYear(), pad(date.getMonth() + 1), pad(date.getDate())].join('-');
  return `${day} ${[pad(date.getHours()), pad(date.getMinutes()), pad(date.getSeconds())].join(':')}`;
}

/** The text that is signed: sorted by the bytes of the names, values raw, empty ones left out. */
function text(fields, without) {
  const names = Object.keys(fields).filter((name) => !without.includes(name) && fields[name] !== '');
  names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return names.map((name) => `${name}=${fields[name]}`).join('&');
}

const signed = (what, key = alipay.private, hash = 'RSA-SHA256') => createSign(hash).update(what).sign(key, 'base64');

function told(wish) {
  keys = wish;
  alipay = { private: createPrivateKey({ key: Buffer.from(keys.alipay_private_key, 'base64'), format: 'der', type: 'pkcs8' }) };
  alipay.stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const common = { appId: keys.app_id, privateKey: keys.app_private_key, keyType: 'PKCS8', encryptKey: keys.encrypt_key };
  const cert = new AlipaySdk({
    ...common, appCertContent: keys.app_cert, alipayPublicCertContent: keys.alipay_cert,
    alipayRootCertContent: keys.alipay_root_cert,
  });
  judges = { key: new AlipaySdk(common), cert };
  app = { public: new X509Certificate(keys.app_cert).publicKey };
  // Asked with our public key in the place of Alipay's, checkNotifySignV2 verifies a request: it tries the text with
  // sign_type first.
  judges.request = new AlipaySdk({ ...common, alipayPublicKey: keys.app_public_key });
  return { app_cert_sn: cert.config.appCertSn, root_sn: cert.config.alipayRootCertSn, alipay_sn: cert.config.alipayCertSn };
}

// Requests

/** Decodes `a=1&b=2`; no name may stand twice, except one that says the same in the URL. */
function decoded(...forms) {
  const fields = {};
  for (const form of forms) {
    for (const [name, value] of new URLSearchParams(form)) {
      check(!(name in fields) || (name === 'charset' && fields[name] === value), `${name} stands twice`);
      fields[name] = value;
    }
  }
  return fields;
}

/** What every request must be, whoever carries it. Answers its biz_content. */
function verified(fields) {
  const verifies = createVerify('RSA-SHA256').update(text(fields, ['sign'])).verify(app.public, fields.sign ?? '', 'base64');
  check(verifies, 'the signature', '40002', 'isv.invalid-signature');
  check(/^[A-Za-z0-9+/]{342}==$/.test(fields.sign), 'the form of the signature', '40002', 'isv.invalid-signature');
  check(judges.request.checkNotifySignV2(fields), 'alipay-sdk finds the signature wrong', '40002', 'isv.invalid-signature');
  check(fields.app_id === keys.app_id, 'app_id');
  check(fields.charset === 'utf-8' && fields.format === 'JSON' && fields.version === '1.0', 'charset, format or version');
  check(fields.sign_type === 'RSA2', 'sign_type');
  check(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(fields.timestamp), 'the form of timestamp');
  check(Math.abs(Date.now() - new Date(fields.timestamp.replace(' ', 'T'))) < 300_000, 'timestamp');
  const { config } = judges.cert;
  const cert = 'app_cert_sn' in fields || 'alipay_root_cert_sn' in fields;
  check(!cert || fields.app_cert_sn === config.appCertSn, 'app_cert_sn', '40002', 'isv.app-cert-sn');
  check(!cert || fields.alipay_root_cert_sn === config.alipayRootCertSn, 'alipay_root_cert_sn');
  const known = ['app_id', 'method', 'format', 'charset', 'sign_type', 'sign', 'timestamp', 'version', 'biz_content',
    'notify_url', 'return_url', 'app_cert_sn', 'alipay_root_cert_sn', 'encrypt_type'];
  for (const name of Object.keys(fields)) check(known.includes(name), `${name}, which nobody knows`);
  const encrypted = fields.encrypt_type === 'AES';
  const biz = JSON.parse(encrypted ? aes(createDecipheriv, fields.biz_content, 'base64', 'utf8') : fields.biz_content);
  if (encrypted) check(judges.key.aesDecrypt(fields.biz_content) === JSON.stringify(biz), 'alipay-sdk decrypts otherwise');
  return { biz, cert, encrypted };
}

function aes(make, what, from, to) {
  const cipher = make('aes-128-cbc', Buffer.from(keys.encrypt_key, 'base64'), Buffer.alloc(16));
  return cipher.update(what, from, to) + cipher.final(to);
}

function shaped(biz, required, optional = {}) {
  const known = { ...required, ...optional };
  for (const name of Object.keys(required)) check(name in biz, `biz_content lacks ${name}`);
  for (const [name, value] of Object.entries(biz)) {
    check(name in known, `biz_content has ${name}, which nobody knows`);
    check(known[name].test(typeof value === 'string' ? value : JSON.stringify(value)), `${name}: ${value}`);
  }
}

const NUMBER = /^\w{1,64}$/;
const YUAN = /^(0|[1-9]\d{0,8})\.\d\d$/;
const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/;
const PRODUCTS = {
  'alipay.trade.precreate': ['FACE_TO_FACE_PAYMENT', {}],
  'alipay.trade.create': ['JSAPI_PAY', { op_app_id: /^\d{16}$/, buyer_open_id: /^.{1,128}$/ }],
  'alipay.trade.app.pay': ['QUICK_MSECURITY_PAY', {}],
  'alipay.trade.page.pay': ['FAST_INSTANT_TRADE_PAY', {}],
  'alipay.trade.wap.pay': ['QUICK_WAP_WAY', {}],
};

function create(fields, biz) {
  const [code, more] = PRODUCTS[fields.method];
  const subject = /^[^/=&\x00-\x1f]{1,256}$/;
  shaped(biz, {
    out_trade_no: NUMBER, total_amount: YUAN, subject, product_code: new RegExp(`^${code}$`), time_expire: TIME, ...more,
  }, { extend_params: /^\{"royalty_freeze":"true"\}$/ });
  const ahead = new Date(biz.time_expire.replace(' ', 'T')) - Date.now();
  check(ahead > 0 && ahead < 15 * 86_400_000, 'time_expire');
  check(/^https?:\/\//.test(fields.notify_url), 'notify_url');
  check(!trades.has(biz.out_trade_no), 'out_trade_no', '40004', 'ACQ.CONTEXT_INCONSISTENT');
  trades.set(biz.out_trade_no, {
    ...biz, notify_url: fields.notify_url, status: 'WAIT_BUYER_PAY', refunds: new Map(), royalties: new Map(), created: spaced(),
    trade_no: `${spaced().replace(/\D/g, '').slice(0, 8)}22001${randomInt(10 ** 12)}`.padEnd(28, '7'),
  });
  return { out_trade_no: biz.out_trade_no };
}

function trade(biz) {
  const found = trades.get(biz.out_trade_no);
  check(found && (biz.trade_no ?? found.trade_no) === found.trade_no, '交易不存在', '40004', 'ACQ.TRADE_NOT_EXIST');
  return found;
}

const fen = (yuan) => Math.round(Number(yuan) * 100);
const yuan = (amount) => (amount / 100).toFixed(2);
const sum = (of) => [...of.refunds.values()].reduce((all, amount) => all + amount, 0);

/** A trade by its number at Alipay, whose money is frozen to be shared. */
function frozen(biz) {
  const found = [...trades.values()].find((one) => one.trade_no === biz.trade_no);
  check(found?.paid && found.extend_params, '交易不存在', '40004', 'ACQ.TRADE_NOT_EXIST');
  return found;
}

const given = (found, operation) => [...found.royalties.values()].flat()
  .filter((part) => part.operation_type === operation).reduce((all, part) => all + fen(part.amount), 0);

/** A refund of nothing that takes a share back from one receiver. */
function takenBack(biz) {
  shaped(biz, { out_trade_no: NUMBER, trade_no: /^\d{28}$/, refund_amount: /^0\.00$/, out_request_no: /^[\w-]{1,64}$/,
    refund_royalty_parameters: /^\[\{.*\}\]$/ });
  const [part, ...others] = biz.refund_royalty_parameters;
  check(others.length === 0, 'one receiver');
  shaped(part, { royalty_type: /^transfer$/, trans_out_type: /^userId$/, trans_out: /^2088\d{12}$/, amount: YUAN },
    { desc: /^.{1,80}$/, trans_in_type: /^userId$/, trans_in: /^2088\d{12}$/ });
  const found = frozen(biz);
  check(!found.refunds.has(biz.out_request_no) && !found.royalties.has(biz.out_request_no), 'out_request_no');
  check(given(found, 'transfer_refund') + fen(part.amount) <= given(found, 'transfer'), '退分账金额');
  found.royalties.set(biz.out_request_no, [
    { operation_type: 'transfer_refund', trans_out: part.trans_out, amount: part.amount, state: 'SUCCESS', detail_id: '2' },
  ]);
  return { out_trade_no: found.out_trade_no, trade_no: found.trade_no, fund_change: 'N', refund_fee: yuan(sum(found)) };
}

const METHODS = {
  'alipay.trade.order.settle': (_, biz) => {
    shaped(biz, { trade_no: /^\d{28}$/, out_request_no: /^\w{1,32}$/ }, { royalty_parameters: /^\[\{.*\}\]$/,
      royalty_mode: /^async$/, extend_params: /^\{"royalty_finish":"true"\}$/ });
    check(biz.royalty_parameters || biz.extend_params, 'royalty_parameters');
    const found = frozen(biz);
    const parts = biz.royalty_parameters ?? [];
    for (const part of parts) {
      shaped(part, { royalty_type: /^transfer$/, trans_in_type: /^userId$/, trans_in: /^2088\d{12}$/, amount: YUAN, desc: /^.{1,80}$/ });
    }
    check(!found.royalties.has(biz.out_request_no), 'out_request_no', '40004', 'ACQ.DISCORDANT_REPEAT_REQUEST');
    found.royalties.set(biz.out_request_no, parts.map(({ trans_in, amount }, i) => (
      { operation_type: 'transfer', trans_in, trans_in_type: 'userId', amount: Number(amount), state: 'SUCCESS', detail_id: `1${i}` })));
    return { trade_no: found.trade_no, settle_no: `${found.trade_no.slice(0, 20)}1` };
  },
  'alipay.trade.order.settle.query': (_, biz) => {
    shaped(biz, { trade_no: /^\d{28}$/, out_request_no: /^[\w-]{1,64}$/ });
    const royalty_detail_list = frozen(biz).royalties.get(biz.out_request_no);
    check(royalty_detail_list, '分账单不存在', '40004', 'ACQ.TRADE_SETTLE_NOT_EXIST');
    return { out_request_no: biz.out_request_no, operation_dt: spaced(), royalty_detail_list };
  },
  'alipay.trade.royalty.relation.bind': (_, biz) => {
    shaped(biz, { receiver_list: /^\[\{"type":"userId","account":"2088\d{12}","name":"[^"]+","memo":"[^"]+"\}\]$/, out_request_no: /^\w{32}$/ });
    return { result_code: 'SUCCESS' };
  },
  'alipay.trade.precreate': (fields, biz) => ({ ...create(fields, biz), qr_code: 'https://qr.alipay.com/bax0/judge' }),
  'alipay.trade.create': (fields, biz) => {
    const made = create(fields, biz);
    return { ...made, trade_no: trades.get(biz.out_trade_no).trade_no };
  },
  'alipay.trade.query': (_, biz) => {
    shaped(biz, { out_trade_no: NUMBER });
    const { out_trade_no, trade_no, total_amount, status, paid } = trade(biz);
    const money = paid ? { send_pay_date: paid, receipt_amount: total_amount, buyer_pay_amount: total_amount } : {};
    return { out_trade_no, trade_no, trade_status: status, total_amount, buyer_logon_id: '159****5620', ...money };
  },
  'alipay.trade.close': (_, biz) => {
    shaped(biz, { out_trade_no: NUMBER });
    const found = trade(biz);
    check(found.status === 'WAIT_BUYER_PAY', '交易状态不合法', '40004', 'ACQ.TRADE_STATUS_ERROR');
    found.status = 'TRADE_CLOSED';
    return { out_trade_no: found.out_trade_no, trade_no: found.trade_no };
  },
  'alipay.trade.refund': (_, biz) => {
    if (biz.refund_royalty_parameters) return takenBack(biz);
    shaped(biz, { out_trade_no: NUMBER, refund_amount: YUAN, out_request_no: NUMBER },
      { trade_no: /^\d{28}$/, refund_reason: /^.{1,256}$/, query_options: /^\["refund_detail_item_list"\]$/ });
    const found = trade(biz);
    const amount = fen(biz.refund_amount);
    check(!found.refunds.has(biz.out_request_no), 'out_request_no', '40004', 'ACQ.DISCORDANT_REPEAT_REQUEST');
    check(amount > 0 && sum(found) + amount <= fen(found.total_amount), '退款金额', '40004', 'ACQ.REFUND_AMT_NOT_EQUAL_TOTAL');
    found.refunds.set(biz.out_request_no, amount);
    // Half of the refunds are told as "nothing changed", which only the refund query explains.
    const fund_change = found.refunds.size % 2 ? 'Y' : 'N';
    return { out_trade_no: found.out_trade_no, trade_no: found.trade_no, fund_change, refund_fee: yuan(sum(found)) };
  },
  'alipay.trade.fastpay.refund.query': (_, biz) => {
    shaped(biz, { out_trade_no: NUMBER, out_request_no: NUMBER }, { query_options: /^\[.*\]$/ });
    const found = trade(biz);
    const { out_trade_no, trade_no, total_amount, refunds } = found;
    if (!refunds.has(biz.out_request_no)) return {};
    const refund_amount = yuan(refunds.get(biz.out_request_no));
    return {
      out_trade_no, trade_no, out_request_no: biz.out_request_no, total_amount, refund_amount,
      refund_status: 'REFUND_SUCCESS', gmt_refund_pay: spaced(),
    };
  },
};

// Complaints, which Alipay keeps in two places: consumers', whose id is a number, and those about trades of mini programs.

const RISK = 'alipay.security.risk.complaint.';
const COMPLAINT = 'alipay.merchant.tradecomplain.';
const PHONE = '13800138000';
const complaints = new Map();

function complained(id) {
  const found = complaints.get(String(id));
  check(found, '投诉单不存在', '40004', 'COMPLAINT_NOT_EXIST');
  return found;
}

/** A complaint as the one place or the other tells it. */
function toldOf({ id, number, risk, status, created, replies }) {
  const { trade_no, total_amount } = trades.get(number);
  if (!risk) {
    return {
      complain_event_id: id, status, trade_no, merchant_order_no: number, gmt_create: created, content: '没有收到货',
      complain_reason: '商品或服务问题', leaf_category_name: '未收到货', phone_no: PHONE, trade_amount: total_amount,
      reply_detail_infos: replies,
    };
  }
  return {
    id: Number(id), task_id: `CS${id}`, status, complain_amount: total_amount, complain_content: '没有收到货',
    contact: PHONE, gmt_complain: created, gmt_overdue: spaced(new Date(Date.now() + 3 * 86_400_000)), trade_no,
    complaint_trade_info_list: [{ trade_no, out_no: number, amount: total_amount, status }],
  };
}

const PAGE = /^[1-9]\d{0,3}$/;
const EVENT = /^\d{20,32}$/;
const all = (risk) => [...complaints.values()].filter((one) => one.risk === risk).map(toldOf);

Object.assign(METHODS, {
  [`${RISK}info.batchquery`]: (_, biz) => {
    shaped(biz, { current_page_num: PAGE, page_size: PAGE, gmt_complaint_start: TIME, gmt_complaint_end: TIME });
    return { complaint_list: all(true) };
  },
  [`${RISK}info.query`]: (_, biz) => {
    shaped(biz, { complain_id: /^\d{1,19}$/ });
    return toldOf(complained(biz.complain_id));
  },
  [`${RISK}process.finish`]: (_, biz) => {
    shaped(biz, { id_list: /^\[\d{1,19}\]$/, process_code: /^[A-Z_]{1,32}$/ }, { remark: /^.{1,200}$/ });
    complained(biz.id_list[0]).status = 'PROCESSED';
    return { complaint_process_success: true };
  },
  [`${COMPLAINT}batchquery`]: (_, biz) => {
    shaped(biz, { page_num: PAGE, page_size: PAGE, begin_time: TIME, end_time: TIME });
    return { page_num: 1, page_size: 20, total_num: all(false).length, trade_complain_infos: all(false) };
  },
  [`${COMPLAINT}query`]: (_, biz) => {
    shaped(biz, { complain_event_id: EVENT });
    return toldOf(complained(biz.complain_event_id));
  },
  [`${COMPLAINT}reply.submit`]: (_, biz) => {
    shaped(biz, { complain_event_id: EVENT, reply_content: /^.{1,200}$/ }, { reply_images: /^.{1,512}$/ });
    const reply = { replier_role: 'MERCHANT', gmt_create: spaced(), content: biz.reply_content };
    complained(biz.complain_event_id).replies.push(reply);
    return {};
  },
  [`${COMPLAINT}feedback.submit`]: (_, biz) => {
    shaped(biz, { complain_event_id: EVENT, feedback_code: /^0[0-9]$/, feedback_content: /^.{1,200}$/ });
    complained(biz.complain_event_id).status = 'MERCHANT_FEEDBACKED';
    return {};
  },
});

function complain({ id, number, risk }) {
  const status = risk ? 'WAIT_PROCESS' : 'MERCHANT_PROCESSING';
  complaints.set(id, { id, number, risk, status, created: spaced(), replies: [] });
  return {};
}

/** A message of the application's gateway that something about a complaint has changed. */
function message(id) {
  return {
    notify_id: `${Date.now()}00judge`, utc_timestamp: String(Date.now()), msg_method: `${COMPLAINT}changed`, version: '1.1',
    app_id: keys.app_id, biz_content: JSON.stringify({ complain_event_id: id }), charset: 'UTF-8', sign_type: 'RSA2',
  };
}

/** The answer to one request of the gateway, with slashes escaped as the real one escapes them. */
function gateway(method, query, headers, body) {
  let fields = {};
  let request = {};
  let node;
  try {
    check(method === 'POST' && query === 'charset=utf-8', 'POST with charset=utf-8 in the URL');
    check(/^application\/x-www-form-urlencoded;\s*charset=utf-8$/i.test(headers['content-type']), 'Content-Type');
    fields = decoded(query, body);
    request = verified(fields);
    check(fields.method in METHODS, 'method');
    node = { code: '10000', msg: 'Success', ...METHODS[fields.method](fields, request.biz) };
    verdicts.push({ op: fields.method, number: request.biz.out_trade_no ?? '', fault: null, encrypted: request.encrypted });
  } catch (fault) {
    verdicts.push({ op: fields.method, number: request.biz?.out_trade_no, fault: String(fault), code: fault.subCode });
    node = { code: fault.code ?? '20000', msg: 'Failed', sub_code: fault.subCode ?? 'isp.unknow-error', sub_msg: fault.message };
  }
  let raw = JSON.stringify(node).replaceAll('/', '\\/');
  if (request.encrypted && node.code === '10000') raw = JSON.stringify(aes(createCipheriv, raw, 'utf8', 'base64'));
  const serial = request.cert ? `"alipay_cert_sn":"${judges.cert.config.alipayCertSn}",` : '';
  return `{"${fields.method?.replaceAll('.', '_')}_response":${raw},${serial}"sign":"${signed(raw)}"}`;
}

/** What an app or a browser carries: verified, and compared with what alipay-sdk would have written. */
function open({ order }) {
  const fields = decoded(order.split('?').pop());
  const { biz, cert } = verified(fields);
  create(fields, biz);
  verdicts.push({ op: fields.method, number: biz.out_trade_no, fault: null });
  const { method, format, timestamp, notify_url, return_url } = fields;
  const params = { format, timestamp, notify_url, ...(return_url ? { return_url } : {}), bizContent: biz };
  const theirs = judges[cert ? 'cert' : 'key'].sdkExecute(method, params, { bizContentAutoSnakeCase: false });
  return { same: text(decoded(theirs), []) === text(fields, []), method };
}

// Callbacks

async function callback({ number, refund, complaint, url, forgery }) {
  if (complaint) return send(url, message(complaint), forgery);
  const found = trades.get(number);
  const { out_trade_no, trade_no, total_amount, subject, status, paid, created } = found;
  const fields = {
    gmt_create: created, charset: 'utf-8', gmt_payment: paid, notify_time: spaced(), subject, buyer_id: '2088102146225135',
    version: '1.0', notify_id: `${Date.now()}222judge`, notify_type: 'trade_status_sync', out_trade_no, total_amount,
    trade_status: status, trade_no, auth_app_id: keys.app_id, receipt_amount: total_amount, app_id: keys.app_id,
    seller_id: keys.seller_id, sign_type: 'RSA2', passback_params: 'a+b%26 c',
    fund_bill_list: JSON.stringify([{ amount: total_amount, fundChannel: 'ALIPAYACCOUNT' }]),
  };
  if (refund) {
    Object.assign(fields, { refund_fee: yuan(sum(found)), gmt_refund: `${spaced()}.000`, out_biz_no: refund });
  }
  return send(found.notify_url, fields, forgery);
}

/** Signs what is told, spoils it, and sends it. */
async function send(url, fields, forgery) {
  const without = ['sign', 'sign_type'];
  if (forgery === 'sha1') fields.sign_type = 'RSA';
  const key = forgery === 'other key' ? alipay.stranger : alipay.private;
  fields.sign = signed(text(fields, without), key, forgery === 'sha1' ? 'RSA-SHA1' : 'RSA-SHA256');
  if (forgery === 'altered' && fields.biz_content) fields.biz_content = fields.biz_content.replace(/\d/, '9');
  else if (forgery === 'altered') fields.total_amount = '1.01';
  if (forgery === 'another order') fields.out_trade_no += '1';
  if (forgery === 'added field') fields.store_id = '1';
  if (forgery === 'no sign') delete fields.sign;
  const answer = await fetch(url, {
    method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: new URLSearchParams(fields).toString(),
  });
  return { status: answer.status, body: await answer.text() };
}

function pay({ number }) {
  Object.assign(trades.get(number), { status: 'TRADE_SUCCESS', paid: spaced() });
  return {};
}

const CONTROL = {
  '/judge/keys': told, '/judge/pay': pay, '/judge/open': open, '/judge/callback': callback, '/judge/verdicts': () => verdicts,
  '/judge/complain': complain,
};

async function answer(request, body) {
  const [path, query] = request.url.split('?');
  if (path in CONTROL) return JSON.stringify(await CONTROL[path](JSON.parse(body)));
  return gateway(request.method, query, request.headers, body);
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const text = await answer(request, Buffer.concat(chunks).toString());
    response.writeHead(200, { 'content-type': 'application/json;charset=utf-8', trace_id: 'judge' }).end(text);
  } catch (fault) {
    console.error(fault);
    response.writeHead(500).end(String(fault));
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
