'use strict';
/** `uniCloud.database()`: collections, documents and queries, of the session that is current. */

const { checkFilter, command } = require('./command');
const { during } = require('./current');
const { HandlerError, isPlain, pathOf, snapshot } = require('./values');
const { strict, unsupported } = require('./strict');

/** uniCloud's default and most rows of one `get`. */
const LIMIT = 100;
const MAX_LIMIT = 1000;

const AGGREGATE = 'read the rows with where().get() and compute in the handler';

function whole(value, name, most) {
  if (!Number.isInteger(value) || value < 0 || value > most) throw new HandlerError(`${name}: a whole number from 0 to ${most}, not ${value}`);
  return value;
}

/** `fieldJson`: the fields that are wanted, or those that are not. */
function projected(row, fields) {
  if (!row || !fields || Object.keys(fields).length === 0) return row;
  const wanted = Object.entries(fields).filter(([name]) => name !== '_id');
  const includes = wanted.length > 0 ? wanted.some(([, yes]) => yes) : Boolean(fields._id);
  const names = new Set(wanted.filter(([, yes]) => Boolean(yes) === includes).map(([name]) => pathOf(name, 'field')[0]));
  const keeps = (name) => (name === '_id' ? fields._id === undefined || Boolean(fields._id) : names.has(name) === includes);
  return Object.fromEntries(Object.entries(row).filter(([name]) => keeps(name)));
}

const WRITES = /\.(add|adds|set|setById|update|updateById|updateAndReturn|remove|del|deleteById)$/;

/** A call of a transaction of the handler, or of none. */
function within(transaction, label, work) {
  return during(label, (session) => {
    if (transaction) return transaction.call(() => work(session));
    if (WRITES.test(label)) session.transaction?.beside(label);
    return work(session);
  });
}

function strictCollection(object, what) {
  return strict(object, (name) => `${what}.${String(name)}() is not supported here; ${AGGREGATE}`);
}

/** A query, and the collection itself: a query of everything. */
class Query {
  #name;
  #single;
  #parts;

  constructor(name, single, parts = {}) {
    this.#name = name;
    this.#single = single;
    this.#parts = parts;
  }

  #with(parts) {
    return strictCollection(bound(new Query(this.#name, this.#single, { ...this.#parts, ...parts })), this.#name);
  }

  #during(method, work) {
    return within(this.#single, `${this.#name}.${method}`, (session) => work(session, session.table(this.#name)));
  }

  #filter(method) {
    const { filter, order, skip, limit } = this.#parts;
    if (!filter) throw new HandlerError(`${this.#name}.${method}: needs where()`);
    const one = method === 'updateAndReturn' && limit === 1;
    if (order || skip !== undefined || (limit !== undefined && !one)) {
      throw new HandlerError(`${this.#name}.${method}: orderBy, skip and limit are not supported here; read the rows with them and change each by its _id`);
    }
    return filter;
  }

  doc(id) {
    if (this.#parts.filter) throw new HandlerError(`${this.#name}.doc: not after where(); put _id into the filter`);
    return strictCollection(bound(new Document(this.#name, this.#single, id, this.#parts.fields)), `${this.#name}.doc()`);
  }

  where(filter) {
    checkFilter(filter, this.#name);
    const own = snapshot(filter);
    return this.#with({ filter: this.#parts.filter ? command.and(this.#parts.filter, own) : own });
  }

  orderBy(name, direction = 'asc') {
    const order = { path: pathOf(name, this.#name), descending: String(direction).toLowerCase() === 'desc' };
    return this.#with({ order: [...(this.#parts.order ?? []), order] });
  }

  limit(limit) {
    return this.#with({ limit: whole(limit, `${this.#name}.limit`, MAX_LIMIT) });
  }

  skip(skip) {
    return this.#with({ skip: whole(skip, `${this.#name}.skip`, Number.MAX_SAFE_INTEGER) });
  }

  field(fields) {
    return this.#with({ fields });
  }

  async get() {
    const { filter = {}, fields, order, skip, limit = LIMIT } = this.#parts;
    const rows = await this.#during('get', (session, table) => session.select(table, filter, { order, skip, limit }));
    return { affectedDocs: rows.length, data: rows.map((row) => projected(row, fields)) };
  }

  async count() {
    const rows = await this.#during('count', (session, table) => session.values(table, this.#parts.filter ?? {}));
    return { affectedDocs: rows.length, total: rows.length };
  }

  async add(data) {
    return await this.#during('add', async (session, table) => {
      if (!Array.isArray(data)) return { id: await session.insert(table, data) };
      const ids = [];
      for (const row of data) ids.push(await session.insert(table, row));
      return { ids, inserted: ids.length };
    });
  }

  async update(data) {
    const { updated } = await this.#during('update', (session, table) => session.update(table, this.#filter('update'), data));
    return { affectedDocs: updated, updated, upsertedId: null };
  }

  async updateAndReturn(data) {
    const { updated, row } = await this.#during('updateAndReturn', (session, table) =>
      session.updateAndReturn(table, this.#filter('updateAndReturn'), data),
    );
    return { updated, doc: row };
  }

  async remove() {
    const deleted = await this.#during('remove', (session, table) => session.remove(table, this.#filter('remove')));
    return { affectedDocs: deleted, deleted };
  }
}

class Document {
  #name;
  #single;
  #id;
  #fields;

  constructor(name, single, id, fields) {
    this.#name = name;
    this.#single = single;
    this.#id = id;
    this.#fields = fields;
  }

  #during(method, work) {
    return within(this.#single, `${this.#name}.doc().${method}`, (session) => work(session, session.table(this.#name)));
  }

  field(fields) {
    return strictCollection(bound(new Document(this.#name, this.#single, this.#id, fields)), `${this.#name}.doc()`);
  }

  async get() {
    const row = projected(await this.#during('get', (session, table) => session.find(table, this.#id)), this.#fields);
    // As in uniCloud: a list, but in a transaction the row itself.
    if (this.#single) return { affectedDocs: row ? 1 : 0, data: row };
    return { affectedDocs: row ? 1 : 0, data: row ? [row] : [] };
  }

  async update(data) {
    const { updated } = await this.#during('update', (session, table) => session.updateById(table, this.#id, data));
    return { affectedDocs: updated, updated, upsertedId: null };
  }

  async updateAndReturn(data) {
    const { updated, row } = await this.#during('updateAndReturn', (session, table) =>
      session.updateAndReturnById(table, this.#id, data),
    );
    return { updated, doc: row };
  }

  async set(data) {
    if (!isPlain(data)) throw new HandlerError(`${this.#name}.doc().set: the data is not an object`);
    const there = await this.#during('set', (session, table) => session.replace(table, this.#id, data));
    return { affectedDocs: 1, updated: there ? 1 : 0, upsertedId: there ? null : this.#id };
  }

  async remove() {
    const deleted = await this.#during('remove', (session, table) => session.removeById(table, this.#id));
    return { affectedDocs: deleted, deleted };
  }
}

/** An object whose methods work through a proxy, although their fields are private. */
function bound(object) {
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(object)).filter((name) => name !== 'constructor');
  return Object.fromEntries(methods.map((name) => [name, object[name].bind(object)]));
}

/**
 * A transaction of a handler. All that a handler writes is one transaction anyway, with the delivery's mark; so its
 * own commit keeps what was written since its start, and its rollback forgets it.
 */
class Transaction {
  #session;
  #savepoint;
  #state = 'open';
  #running = new Set();
  #beside;

  constructor(session) {
    if (session.transaction) throw new HandlerError('startTransaction: another transaction of this handler is still open');
    session.transaction = this;
    this.#session = session;
    this.#savepoint = session.savepoint();
  }

  open() {
    if (this.#state !== 'open') throw new HandlerError(`the transaction has been ${this.#state}`);
  }

  /** A call of this transaction; what is still under way belongs to it, too. */
  async call(work) {
    this.open();
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** A write of the handler that is none of this transaction; a rollback cannot tell it from what it forgets. */
  beside(label) {
    this.#beside ??= label;
  }

  collection(name) {
    return collection(name, this);
  }

  async commit() {
    this.open();
    this.#state = 'committed';
    this.#session.transaction = undefined;
    return {};
  }

  async rollback() {
    this.open();
    this.#state = 'rolled back';
    await Promise.allSettled(this.#running);
    this.#session.rollback(this.#savepoint);
    this.#session.forgotten ??= this.#beside;
    this.#session.transaction = undefined;
    return {};
  }
}

function collection(name, single) {
  if (typeof name !== 'string') throw new HandlerError('collection: needs the name of a table; JQL is not supported here');
  return strictCollection(bound(new Query(name, single)), name);
}

const startTransaction = () => during('startTransaction', (session) => new Transaction(session));

async function runTransaction(work) {
  const transaction = await startTransaction();
  const rolledBack = Symbol('rolled back');
  const inner = {
    collection: (name) => transaction.collection(name),
    async rollback(reason) {
      await transaction.rollback();
      throw Object.assign(new Error('rolled back'), { [rolledBack]: true, reason });
    },
  };
  let result;
  try {
    result = await work(inner);
  } catch (error) {
    if (error?.[rolledBack]) throw error.reason;
    await transaction.rollback();
    throw error;
  }
  await transaction.commit();
  return result;
}

const database = strict(
  {
    collection: (name) => collection(name),
    command,
    startTransaction,
    runTransaction,
    serverDate: ({ offset = 0 } = {}) => Date.now() + offset,
    RegExp: ({ regexp, options }) => new RegExp(regexp, options),
    Geo: unsupported('db.Geo', 'DynamoDB has no geographic queries'),
  },
  (name) => `db.${String(name)} is not supported here; ${AGGREGATE}`,
);

module.exports = { Transaction, database, projected, startTransaction, within };
