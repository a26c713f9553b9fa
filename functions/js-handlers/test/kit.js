'use strict';
/** What the tests share: a shop with tables, deliveries to it, and processes that die. */

const fs = require('node:fs');
const path = require('node:path');
const { deliver } = require('../src/deliver');
const { install } = require('../src/framework');
const { handlersIn } = require('../src/index');
const { marshalRow, unmarshalRow } = require('../src/values');
const { Memory } = require('./memory');

const FIXTURES = path.join(__dirname, 'fixtures');
const TABLES = ['uni-id-users', 'recharge_logs', 'goods', 'goods_orders', 'vip_purchase_logs', 'things', 'js-deliveries'];

/** An order as a delivery has it: its columns, with the keys of custom beside them. */
const order = (type, custom = {}, columns = {}) => ({
  ...custom,
  _id: 'T1',
  out_trade_no: 'T1',
  type,
  total_fee: 100,
  trade_state: 'SUCCESS',
  transaction_id: '4200001',
  custom,
  idempotency_key: 'the caller says',
  ...columns,
});

class Shop {
  constructor(options = {}) {
    this.storage = new Memory({ tables: TABLES, ...options });
    this.running = new Set();
    this.logged = [];
  }

  put(table, ...rows) {
    for (const row of rows) this.storage.tables.get(table).set(row._id, marshalRow(row));
    return this;
  }

  rows(table) {
    return [...this.storage.tables.get(table).values()].map((item) => unmarshalRow(item, table));
  }

  row(table, id) {
    return this.rows(table).find((row) => row._id === id);
  }

  /** Delivers an order to a handler: a function, or one that a folder has. */
  deliver(handler, event = order('test'), { storage = this.storage, timeLeft = () => 10_000 } = {}) {
    const handlers = typeof handler === 'function' && handler.length === 1 && handler.isFolder ? handler : () => () => handler;
    const log = { error: (line) => this.logged.push(line) };
    return deliver(event, { handlers, storage, marks: 'js-deliveries', timeLeft, running: this.running, log });
  }
}

/** The handlers of a folder of fixtures. */
const folder = (name) => Object.assign(handlersIn(path.join(FIXTURES, name)), { isFolder: true });

/** Files as a user would drop them. */
function dropped(files) {
  // Within the package, so that they may require it by its name.
  const at = fs.mkdtempSync(path.join(__dirname, '.dropped-'));
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(at, name), text);
  process.on('exit', () => fs.rmSync(at, { recursive: true, force: true }));
  return Object.assign(handlersIn(at), { isFolder: true });
}

/** The tables as a process sees them that dies at its nth call: before it is made, or before its answer arrives. */
function dying(storage, n, after) {
  let calls = 0;
  const state = { died: false };
  const dead = new Promise(() => {});
  const call = (name) => async (...args) => {
    calls += 1;
    if (state.died) return await dead;
    if (calls !== n) return await storage[name](...args);
    if (after) await storage[name](...args).catch(() => {});
    state.died = true;
    state.onDeath();
    return await dead;
  };
  state.end = new Promise((resolve) => (state.onDeath = resolve));
  state.storage = Object.fromEntries(['get', 'indexes', 'query', 'scan', 'transact'].map((name) => [name, call(name)]));
  return state;
}

module.exports = { FIXTURES, Shop, TABLES, dropped, dying, folder, install, order };
