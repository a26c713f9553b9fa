'use strict';
/**
 * A session: what one run of a handler has read, and what it wants to write.
 *
 * Nothing is written while the handler runs. Each row that it names is held here, with what the table had (`base`, as
 * DynamoDB sent it), what the handler sees (`view`, with its own changes), and the one write that comes of it. When
 * the handler has succeeded, `writes` turns them into one transaction. Rows are never changed in place, so that a
 * copy of the map is a savepoint.
 */

const crypto = require('node:crypto');
const { UPDATES, changesOf, Command, checkFilter, fieldsOf, listed, matches } = require('./command');
const { HandlerError, at, equal, isDate, isPlain, marshal, marshalRow, normalize, unmarshalRow, withAt } = require('./values');

/** DynamoDB's most writes of one transaction; one of them is the delivery's mark. */
const MAX_WRITES = 99;
/** The most pages of a megabyte that one query reads. */
const MAX_PAGES = 4;
/** The most rows that one query through an index looks at. */
const MAX_CANDIDATES = 1000;
/** How many rows are read at the same time: more than the client has connections would wait for one, and time out. */
const AT_ONCE = 50;

const TABLE = /^[A-Za-z0-9_.-]{1,200}$/;
/** VK-Pay's and uni-pay's order tables. Here the order is `data`; its table is none of the handler's. */
const ORDERS = ['vk-pay-orders', 'uni-pay-orders'];

class Session {
  #rows = new Map();
  #running = new Map();
  #ended;
  #generated = 0;
  #abort = new AbortController();

  /** What went wrong beside the handler's own answer: a rejection that nobody caught, tables that did not answer. */
  fault;
  transaction;
  /** A write that went with a transaction which the handler rolled back, although it was none of it. */
  forgotten;

  constructor({ storage, prefix = '', reserved = [], key }) {
    this.storage = storage;
    this.prefix = prefix;
    this.reserved = reserved;
    this.key = key;
    this.requests = new Map();
    /** The tables in which an update has found no row. */
    this.missed = new Set();
  }

  /** Ends when the handler may no longer do anything. */
  get signal() {
    return this.#abort.signal;
  }

  /** Nothing more is taken from the handler, for a reason. Gives what it has not waited for. */
  end(why) {
    this.#ended ??= why;
    this.#abort.abort(new HandlerError(why));
    return [...this.#running.values()];
  }

  /** One call of the handler, from its start to its end. */
  async run(label, work) {
    if (this.#ended) throw new HandlerError(`${label}: ${this.#ended}`);
    const call = Symbol(label);
    this.#running.set(call, label);
    try {
      const result = await work();
      if (this.#ended) throw new HandlerError(`${label}: ${this.#ended}`);
      return result;
    } finally {
      this.#running.delete(call);
    }
  }

  /** The key of the nth request to somewhere: the same each time that the order is delivered. */
  requestKey(to) {
    const n = (this.requests.get(to) ?? 0) + 1;
    this.requests.set(to, n);
    return digest(`${this.key}\n${to}\n${n}`);
  }

  /** The name that DynamoDB knows a handler's table by. */
  table(name) {
    if (typeof name !== 'string' || !TABLE.test(name)) {
      throw new HandlerError(`${JSON.stringify(name)} is not a table's name`);
    }
    const full = this.prefix + name;
    if (ORDERS.includes(name) || this.reserved.includes(full)) {
      throw new HandlerError(`${name} is not a business table; the order is what the handler gets as data`);
    }
    return full;
  }

  // Rows

  /** Asks the tables. A table that does not answer fails the delivery, whatever the handler makes of it. */
  async #ask(method, ...args) {
    try {
      return await this.storage[method](...args);
    } catch (error) {
      this.fault ??= error;
      throw error;
    }
  }

  /** Reads a row if it is not here. Calls run at the same time: what it is, is looked at after all waiting is over. */
  async #load(table, id) {
    if (this.#row(table, id)) return;
    const item = await this.#ask('get', table, id);
    // Another call may have been first.
    if (!this.#row(table, id)) this.#keep(fresh(table, id, item));
  }

  #keep(row) {
    this.#rows.set(`${row.table}\n${row.id}`, row);
  }

  #row(table, id) {
    return this.#rows.get(`${table}\n${id}`);
  }

  /** The handler sees a row: what it changes of it must still be as it saw it. */
  #show(row) {
    this.#keep({ ...row, seen: true });
    return row.view;
  }

  async find(table, id) {
    await this.#load(table, idOf(id, shortName(table, this.prefix)));
    return structuredClone(this.#show(this.#row(table, id)));
  }

  /** The rows that are here and that a filter matches. */
  #matching(table, filter) {
    const where = shortName(table, this.prefix);
    return [...this.#rows.values()].filter((row) => row.table === table && row.view && matches(row.view, filter, where));
  }

  /** Reads all rows that a filter may match. */
  async #loadFor(table, filter) {
    const where = shortName(table, this.prefix);
    checkFilter(filter, where);
    const fields = fieldsOf(filter);
    const ids = fields.filter(([name]) => name === '_id').map(([, condition]) => listed(condition)).find(Boolean);
    if (ids) {
      const unique = new Set(ids.map((id) => idOf(id, where)));
      if (unique.size > MAX_CANDIDATES) throw new HandlerError(`${where}: more than ${MAX_CANDIDATES} ids in one query`);
      await this.#loadAll(table, unique);
      return;
    }
    const indexes = await this.#ask('indexes', table);
    for (const [name, condition] of fields) {
      const values = listed(condition);
      if (values?.length !== 1 || values[0] === '') continue;
      const key = normalize(values[0], where);
      // An index has no row whose value is of another type than its key, nor one that lacks its sort key.
      const type = { string: 'S', number: 'N' }[typeof key];
      const complete = ({ range }) => range === undefined || fields.some(([other, condition]) => other === range && needed(condition));
      const index = indexes.find((index) => index.hash === name && index.type === type && complete(index));
      if (!index) continue;
      const found = new Set();
      await this.#pages(
        (start) => this.#ask('query', table, index, marshal(key), start),
        (items) => items.forEach((item) => found.add(item._id.S)),
        () => found.size > MAX_CANDIDATES && `${where}: more than ${MAX_CANDIDATES} rows have this ${name}`,
        `${where}: too many rows have this ${name}`,
      );
      await this.#loadAll(table, found);
      return;
    }
    await this.#pages(
      (start) => this.#ask('scan', table, start),
      (items) => {
        for (const item of items) {
          if (!this.#row(table, item._id.S)) this.#keep(fresh(table, item._id.S, item));
        }
      },
      () => false,
      `${where}: a query without _id read ${MAX_PAGES} MB and the table has more. Ask by _id, or give the table a global ` +
        `secondary index with a hash key that the query names`,
    );
  }

  async #pages(read, take, tooMany, says) {
    let start;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const { items, next } = await read(start);
      take(items);
      const many = tooMany();
      if (many) throw new HandlerError(many);
      if (!next) return;
      start = next;
    }
    throw new HandlerError(says);
  }

  async #loadAll(table, ids) {
    const left = [...ids];
    while (left.length > 0) await Promise.all(left.splice(0, AT_ONCE).map((id) => this.#load(table, id)));
  }

  /** The handler learns which rows a filter matches: of a row that it changes, that must be the same when it commits. */
  #told(table, filter) {
    const rows = this.#matching(table, filter);
    const matched = new Set(rows.map((row) => row.id));
    const names = fieldsOf(filter).map(([name]) => name).filter((name) => name !== '_id');
    for (const row of this.#rows.values()) {
      if (row.table !== table || !row.view || matched.has(row.id) || names.every((name) => row.fixed.has(name))) continue;
      this.#keep({ ...row, fixed: new Set([...row.fixed, ...names]) });
    }
    return rows;
  }

  async select(table, filter, { order = [], skip = 0, limit = 100 } = {}) {
    await this.#loadFor(table, filter);
    const rows = this.#told(table, filter);
    const sorted = order.length > 0 ? rows.toSorted((a, b) => compareRows(a.view, b.view, order)) : rows;
    return sorted.slice(skip, skip + limit).map((row) => structuredClone(this.#show(row)));
  }

  /** The rows themselves, for what is counted, or summed up of a field. */
  async values(table, filter, field) {
    await this.#loadFor(table, filter);
    return this.#told(table, filter).map((row) => {
      const held = guarded(row, filter);
      this.#keep(field === undefined ? held : { ...held, fixed: new Set(held.fixed).add(field) });
      return row.view;
    });
  }

  // Writes

  async insert(table, data) {
    const where = shortName(table, this.prefix);
    if (!isPlain(data)) {
      throw new HandlerError(`${where}: what is added is not an object`);
    }
    const view = normalize(data, where);
    if (view._id === undefined) {
      this.#generated += 1;
      view._id = digest(`${this.key}\n_id\n${this.#generated}`).slice(0, 24);
      this.#keep({ ...fresh(table, view._id), view, write: { put: true } });
      return view._id;
    }
    await this.#load(table, idOf(view._id, where));
    const row = this.#row(table, view._id);
    if (row.view) throw new HandlerError(`${where}: duplicate key, there is a row ${JSON.stringify(row.id)}`);
    this.#keep({ ...row, view, write: { put: true } });
    return row.id;
  }

  /** Replaces a row, or adds it. True when it was there. */
  async replace(table, id, data) {
    const where = shortName(table, this.prefix);
    const view = { ...normalize(data, where), _id: idOf(id, where) };
    await this.#load(table, id);
    const row = this.#row(table, id);
    this.#keep({ ...row, view, write: { put: true } });
    return row.view !== null;
  }

  /** Changes the rows that a filter matches; as uniCloud counts, those that were like that before are not updated. */
  async update(table, filter, data, { first = false } = {}) {
    const where = shortName(table, this.prefix);
    const changes = changesOf(data, where);
    if (changes.length === 0) throw new HandlerError(`${where}: an update that changes nothing; are its values undefined?`);
    await this.#loadFor(table, filter);
    const rows = this.#told(table, filter);
    const wanted = first ? rows.slice(0, 1) : rows;
    if (wanted.length === 0) this.missed.add(where);
    const changed = wanted.filter((row) => this.#change(guarded(row, filter), changes, where));
    return { matched: wanted.map((row) => this.#row(table, row.id)), updated: changed.length };
  }

  async updateById(table, id, data) {
    return await this.update(table, this.#byId(table, id), data);
  }

  async updateAndReturnById(table, id, data) {
    return await this.updateAndReturn(table, this.#byId(table, id), data);
  }

  async removeById(table, id) {
    return await this.remove(table, this.#byId(table, id));
  }

  /** The filter of an id. What is no text would be another filter. */
  #byId(table, id) {
    return { _id: idOf(id, shortName(table, this.prefix)) };
  }

  async updateAndReturn(table, filter, data) {
    const { matched: [row], updated } = await this.update(table, filter, data, { first: true });
    if (!row) return { updated, row: null };
    this.#show(this.#row(table, row.id));
    return { updated, row: structuredClone(row.view) };
  }

  async remove(table, filter) {
    await this.#loadFor(table, filter);
    const rows = this.#told(table, filter);
    for (const row of rows) {
      const write = row.base ? { delete: true } : undefined;
      this.#keep({ ...guarded(row, filter), view: null, write });
    }
    return rows.length;
  }

  #change(row, changes, where) {
    const write = row.write ?? { set: new Set(), add: new Map() };
    const next = { ...row, write: write.put ? write : { set: new Set(write.set), add: new Map(write.add) } };
    let view = row.view;
    // `updated` is something the handler is told: whether a change is one must be the same when it commits.
    let certain = false;
    let guard;
    for (const [path, command] of changes) {
      const [name] = path;
      const label = `${where}.${path.join('.')}`;
      if (name === '_id') throw new HandlerError(`${label}: a row's _id cannot change`);
      const op = Command.op(command);
      const args = Command.args(command);
      const value = UPDATES[op](at(view, path), args, label);
      const changed = !equal(value, at(view, path));
      view = withAt(view, path, value, label);
      if (next.write.put) continue;
      if (op === 'inc' && path.length === 1 && !next.write.set.has(name)) {
        next.write.add.set(name, (next.write.add.get(name) ?? 0) + args[0]);
        certain ||= changed;
        continue;
      }
      if (changed && path.length === 1 && !next.write.set.has(name) && !next.write.add.has(name) && ['set', 'remove'].includes(op)) {
        guard ??= value === undefined ? { name, op: 'exists' } : { name, op: 'ne', value: marshal(value) };
      } else if (changed) {
        certain = true;
        if (next.write.add.has(name)) next.fixed = new Set(next.fixed).add(name);
      }
      next.write.set.add(name);
      next.write.add.delete(name);
      // A new value that comes of the old one holds only while that is there.
      if (path.length > 1 || !['set', 'remove'].includes(op)) next.fixed = new Set(next.fixed).add(name);
    }
    if (equal(view, row.view)) {
      this.#keep({ ...row, fixed: new Set([...row.fixed, ...changes.map(([[name]]) => name)]) });
      return false;
    }
    if (guard && !certain) next.guards = withGuard(next.guards, guard);
    this.#keep({ ...next, view });
    return true;
  }

  // Transactions

  /** What has been asked for so far, to return to. */
  savepoint() {
    return new Map(this.#rows);
  }

  /** Forgets what was written since, but not what was seen. */
  rollback(savepoint) {
    for (const [key, row] of this.#rows) {
      const before = savepoint.get(key) ?? { ...fresh(row.table, row.id), base: row.base, view: viewOf(row) };
      const { seen, guards, fixed } = row;
      this.#rows.set(key, { ...before, seen, guards, fixed });
    }
  }

  /** The writes of the transaction that a success commits. */
  writes() {
    const writes = [...this.#rows.values()].filter((row) => row.write).map(writeOf);
    if (writes.length > MAX_WRITES) {
      throw new HandlerError(
        `the handler changes ${writes.length} rows; one delivery can change ${MAX_WRITES}. Write one row with the work, and do it elsewhere`,
      );
    }
    return writes;
  }
}

const digest = (text) => crypto.createHash('sha256').update(text).digest('hex');
const shortName = (table, prefix) => table.slice(prefix.length);

function idOf(id, where) {
  if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > 2048) {
    throw new HandlerError(`${where}: an _id must be a text that is not empty, not ${id === '' ? 'an empty one' : typeof id}`);
  }
  return id;
}

const fresh = (table, id, item) => {
  const row = { table, id, base: item ?? null, seen: false, guards: [], fixed: new Set(), write: undefined };
  return { ...row, view: viewOf(row) };
};

const viewOf = ({ table, id, base }) => base && unmarshalRow(base, `${table}/${id}`);

const COMPARED = { eq: 'eq', neq: 'ne', gt: 'gt', gte: 'gte', lt: 'lt', lte: 'lte' };

/** Whether DynamoDB compares as JavaScript does: not if a number has more digits here or there, nor by texts' order. */
function comparable({ base, view }, name, value, op) {
  if (typeof view[name] !== typeof value || !base || !Object.hasOwn(base, name)) return false;
  if (typeof value === 'number') return base[name].N === marshal(view[name]).N;
  return typeof value === 'boolean' || (typeof value === 'string' && ['eq', 'neq'].includes(op));
}

/** Whether a condition is met only by a row that has the field. */
function needed(condition) {
  const op = Command.op(condition);
  const value = op ? Command.args(condition)[0] : condition;
  return (['string', 'number'].includes(typeof value) || isDate(value)) && [undefined, 'eq', 'gt', 'gte', 'lt', 'lte'].includes(op);
}

/** Each condition once: a file may ask the same in a loop. */
const withGuard = (guards, guard) => (guards.some((other) => equal(other, guard)) ? guards : [...guards, guard]);

/**
 * A row whose write depends on what a filter saw. What DynamoDB can compare itself is compared when the write commits,
 * `stock >= 5` as such; of all else the field must be as it was.
 */
function guarded(row, filter) {
  if (row.write?.put) return row;
  let { guards } = row;
  const fixed = new Set(row.fixed);
  for (const [name, condition] of fieldsOf(filter)) {
    if (name === '_id') continue;
    if (row.write && (row.write.set.has(name) || row.write.add.has(name))) {
      fixed.add(name);
      continue;
    }
    const op = condition === undefined ? undefined : (Command.op(condition) ?? 'eq');
    const value = op && (Command.op(condition) ? Command.args(condition)[0] : condition);
    if (Object.hasOwn(COMPARED, op ?? '') && comparable(row, name, value, op)) guards = withGuard(guards, { name, op: COMPARED[op], value: marshal(normalize(value, name)) });
    else fixed.add(name);
  }
  return { ...row, guards, fixed };
}

/** The write of a row, with all that must hold for it. */
function writeOf(row) {
  const { table, id, base, view, write } = row;
  const conditions = [{ name: '_id', op: base ? 'exists' : 'absent' }];
  if (base) {
    const names = new Set(row.fixed);
    if (row.seen) Object.keys(base).forEach((name) => names.add(name));
    if (row.seen && write.set) [...write.set, ...write.add.keys()].forEach((name) => names.add(name));
    if (row.seen && write.put) Object.keys(view).forEach((name) => names.add(name));
    names.delete('_id');
    for (const name of names) {
      const value = Object.hasOwn(base, name) ? base[name] : undefined;
      conditions.push(value === undefined ? { name, op: 'absent' } : { name, op: 'eq', value });
    }
    conditions.push(...row.guards.filter(({ name }) => !names.has(name)));
  }
  if (write.put && base && row.seen) {
    // What others have added since is none of what was read, and is not to be lost.
    const { _id, ...set } = marshalRow(view);
    const remove = Object.keys(base).filter((name) => !Object.hasOwn(view, name));
    if (Object.keys(set).length + remove.length > 0) return { type: 'update', table, id, set, remove, add: {}, conditions };
  }
  if (write.put) return { type: 'put', table, id, item: marshalRow(view), conditions };
  if (write.delete) return { type: 'delete', table, id, conditions };
  const set = {};
  const remove = [];
  for (const name of write.set) {
    if (Object.hasOwn(view, name)) set[name] = marshal(view[name]);
    else remove.push(name);
  }
  const add = Object.fromEntries([...write.add].map(([name, by]) => [name, marshal(by)]));
  return { type: 'update', table, id, set, remove, add, conditions };
}

/** MongoDB's order of types, as far as rows have them. */
const RANKS = { undefined: 0, null: 0, number: 1, string: 2, object: 3, boolean: 4 };

function compareRows(a, b, order) {
  for (const { path, descending } of order) {
    const [x, y] = [at(a, path), at(b, path)];
    const rank = (value) => RANKS[value === null ? 'null' : typeof value];
    const by = rank(x) - rank(y) || (x < y ? -1 : x > y ? 1 : 0);
    if (by !== 0) return descending ? -by : by;
  }
  return 0;
}

module.exports = { MAX_PAGES, MAX_WRITES, Session };
