'use strict';
/**
 * A delivery: runs the handler of an order's type, and commits what it wrote with a mark of the order, or nothing.
 *
 * The mark is a row of its own table with the order's number as `_id`. It is written only if it is not there, in the
 * transaction of the handler's writes; so whoever delivers the order again, at the same time or later, changes nothing
 * and gets the answer of the first.
 */

const crypto = require('node:crypto');
const { setTimeout: pause } = require('node:timers/promises');
const { sessions } = require('./current');
const { Refused } = require('./dynamodb');
const { crypto: sealed, database, util } = require('./framework');
const { Session } = require('./session');
const { HandlerError, define, isPlain, marshalRow } = require('./values');

/** How often a handler runs on fresh reads when rows that it has seen were changed meanwhile. */
const ROUNDS = 5;
/** How often one transaction is sent. */
const COMMITS = 6;
/** What is kept for the commit and the answer, ms. */
const RESERVE = 1500;
/** The longest message, as the order keeps it. */
const MESSAGE = 200;

/** Names that make a prototype of what a payer sent, once a handler merges it into something. */
const UNSAFE = ['__proto__', 'constructor'];

/** A copy without such names. */
function clean(value) {
  if (Array.isArray(value)) return value.map(clean);
  if (value === null || typeof value !== 'object') return value;
  const copy = {};
  for (const [name, member] of Object.entries(value)) if (!UNSAFE.includes(name)) define(copy, name, clean(member));
  return copy;
}

const isOrder = (data) => isPlain(data) && typeof data.out_trade_no === 'string' && data.out_trade_no !== '' && typeof data.type === 'string';

/**
 * The order of an event: as it is, behind `$url`, or encrypted. What is an order is not looked into: beside its columns
 * it has the keys of `custom`, and a payer may call one `$url` or `encrypted`.
 */
function orderOf(event) {
  let data = clean(event);
  if (!isOrder(data) && isPlain(data) && typeof data.$url === 'string') data = data.data;
  if (!isOrder(data) && isPlain(data) && typeof data.encrypted === 'string') data = clean(sealed.aes.decrypt({ data: data.encrypted }));
  if (!isOrder(data)) {
    throw new HandlerError('the event is no delivery of an order: it needs out_trade_no and type');
  }
  // The user that is credited is that of the built-in handlers: custom.user_id, else the order's.
  const user = data.custom?.user_id;
  if (typeof user === 'string' && user !== '') data.user_id = user;
  return data;
}

/** Calls a handler in either of its shapes. */
function call(exported, data) {
  if (typeof exported === 'function') {
    const verifyResult = data.notify_info ?? {};
    return exported({ data, verifyResult }, { db: database, _: database.command });
  }
  if (typeof exported?.main === 'function') {
    return exported.main({ data, userInfo: {}, util, filterResponse: {}, originalParam: { event: { data }, context: {} } });
  }
  throw new HandlerError('the file exports neither a function nor { main }');
}

/** What a handler's return value says. */
function verdict(returned) {
  if (returned === true) return { code: 0, msg: 'ok' };
  if (isPlain(returned) && returned.code === 0) return { code: 0, msg: says(returned.msg) ?? 'ok' };
  if (isPlain(returned)) {
    const code = Number.isInteger(returned.code) && returned.code !== 0 ? returned.code : 1;
    return { code, msg: says(returned.msg) ?? `the handler returned code ${JSON.stringify(returned.code)}` };
  }
  if (returned === false) return { code: 1, msg: 'the handler returned false' };
  return { code: 1, msg: `the handler returned ${typeof returned}; it must return true or { code: 0 }` };
}

/** Without half a character, which cutting makes of an emoji: neither the table nor the caller could read that. */
const says = (msg) => (typeof msg === 'string' && msg.trim() !== '' ? msg.slice(0, MESSAGE).toWellFormed() : undefined);
const messageOf = (error) => says(error instanceof Error ? error.message : String(error)) ?? 'the handler threw';

/** One run: its answer, and what it wants to write. */
async function run(load, data, options, timeLeft) {
  const session = new Session(options);
  options.running?.add(session);
  const late = new AbortController();
  try {
    const ms = Math.max(0, timeLeft() - RESERVE);
    // It keeps the process: without anything to wait for, Lambda answers null, and nobody learns why.
    const limit = pause(ms, undefined, { signal: late.signal }).then(() => {
      throw new HandlerError(`the handler has not finished within ${ms} ms`);
    });
    const work = sessions.run(session, async () => call(load(), structuredClone(data)));
    const returned = await Promise.race([work, limit]);
    // What was rejected in the same moment becomes known in this one.
    await new Promise(setImmediate);
    const unawaited = session.end('the handler has returned already; await each call');
    if (session.fault) throw session.fault;
    const answer = verdict(returned);
    if (answer.code !== 0) return { answer };
    if (unawaited.length > 0) throw new HandlerError(`the handler returned without waiting for ${unawaited.join(', ')}; await each call`);
    if (session.transaction) throw new HandlerError('the handler returned with a transaction that is neither committed nor rolled back');
    if (session.forgotten) throw new HandlerError(`the handler wrote ${session.forgotten} beside a transaction, which it rolled back; write in it, or after it`);
    return { answer, writes: session.writes(), missed: [...session.missed] };
  } catch (error) {
    session.end('the handler has ended already');
    return { answer: { code: 1, msg: messageOf(error) }, error };
  } finally {
    late.abort();
    options.running?.delete(session);
  }
}

/**
 * Delivers an order.
 *
 * `handlers(type)` gives a function that loads the file, or undefined; `storage` is the tables; `marks` the table of
 * marks; `timeLeft()` the milliseconds until Lambda ends the function.
 */
async function deliver(event, { handlers, storage, marks, prefix, reserved, timeLeft, running, log = console, now = Date.now }) {
  let data;
  const failed = (answer, error) => {
    const order = { out_trade_no: data?.out_trade_no, type: data?.type };
    log.error({ ...order, message: 'a delivery failed', code: answer.code, msg: answer.msg, stack: error?.stack });
    return answer;
  };
  try {
    data = orderOf(event);
    const no = data.out_trade_no;
    const earlier = async () => {
      const mark = await storage.get(marks, no);
      return mark && { code: 0, msg: mark.msg.S };
    };
    const load = handlers(data.type);
    if (!load) throw new HandlerError(`there is no pay-notify/${data.type}.js`);
    const delivered = await earlier();
    if (delivered) return delivered;
    const key = crypto.createHash('sha256').update(no).digest('hex');
    const options = { storage, prefix, reserved: [...(reserved ?? []), marks], key, running };
    data.idempotency_key = key;
    for (let round = 0; round < ROUNDS; round += 1) {
      const { answer, writes, missed, error } = await run(load, data, options, timeLeft);
      // What failed may have failed because somebody else delivered at the same time.
      if (answer.code !== 0) return (await earlier()) ?? failed(answer, error);
      const item = marshalRow({ _id: no, type: data.type, msg: answer.msg, create_date: now() });
      const mark = { type: 'put', table: marks, id: no, item, conditions: [{ name: '_id', op: 'absent' }] };
      const outcome = await commit(storage, [mark, ...writes], timeLeft);
      if (outcome === 'done') {
        // The file may have meant it so; it may also have credited nobody.
        if (missed.length > 0) log.error({ out_trade_no: no, type: data.type, message: 'delivered, but an update found no row', tables: missed });
        return answer;
      }
      if (outcome === 'marked') {
        const first = await earlier();
        if (first) return first;
      }
      await pause(Math.random() * 20 * 2 ** round);
    }
    throw new HandlerError(`rows that the handler has read were changed by others each time that it ran (${ROUNDS} times)`);
  } catch (error) {
    return failed({ code: 1, msg: messageOf(error) }, error);
  }
}

/** Commits: `done`, `marked` when the order is delivered already, `moved` when a row is not as it was read. */
async function commit(storage, writes, timeLeft) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await storage.transact(writes);
      return 'done';
    } catch (error) {
      if (error instanceof Refused) {
        if (error.reasons[0] === 'ConditionalCheckFailed') return 'marked';
        if (error.reasons.includes('ConditionalCheckFailed')) return 'moved';
        if (error.reasons.some((reason) => ['ValidationError', 'ItemCollectionSizeLimitExceeded'].includes(reason))) throw error;
      } else if (error instanceof HandlerError || error.name === 'ValidationException') {
        throw error;
      }
      // A conflict with another transaction, too many requests, or no answer: then it may be written, and its mark says so.
      if (attempt >= COMMITS || timeLeft() < RESERVE / 3) throw error;
      await pause(Math.random() * Math.min(400, 20 * 2 ** attempt));
    }
  }
}

module.exports = { COMMITS, ROUNDS, deliver, orderOf, verdict };
