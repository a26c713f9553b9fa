'use strict';
/**
 * Tables in memory, with what DynamoDB promises of transactions: all or nothing, a reason for each write, and the
 * conditions looked at as they are then. `storage.test.js` holds it to the same tests as a DynamoDB.
 */

const { Refused } = require('../src/dynamodb');
const { HandlerError } = require('../src/values');
const { isDeepStrictEqual: equal } = require('node:util');

const turn = () => new Promise(setImmediate);

const compare = (a, b, holds) => {
  if (!a || Object.keys(a)[0] !== Object.keys(b)[0]) return false;
  if ('N' in a) return holds(Number(a.N), Number(b.N));
  return 'S' in a && holds(Buffer.compare(Buffer.from(a.S), Buffer.from(b.S)), 0);
};

const same = (a, b) => ('N' in (a ?? {}) && 'N' in b ? Number(a.N) === Number(b.N) : equal(a, b));

const HOLDS = {
  exists: (a) => a !== undefined,
  absent: (a) => a === undefined,
  eq: (a, b) => a !== undefined && same(a, b),
  ne: (a, b) => a === undefined || !same(a, b),
  lt: (a, b) => compare(a, b, (x, y) => x < y),
  lte: (a, b) => compare(a, b, (x, y) => x <= y),
  gt: (a, b) => compare(a, b, (x, y) => x > y),
  gte: (a, b) => compare(a, b, (x, y) => x >= y),
};

class Memory {
  constructor({ tables = [], indexes = {}, page = 100, conflicts = 0 } = {}) {
    this.tables = new Map(tables.map((name) => [name, new Map()]));
    this.declared = indexes;
    this.page = page;
    this.conflicts = conflicts;
  }

  #table(name) {
    const table = this.tables.get(name);
    if (!table) throw new HandlerError(`the table ${name} does not exist`);
    return table;
  }

  async get(table, id) {
    await turn();
    return structuredClone(this.#table(table).get(id));
  }

  async indexes(table) {
    this.#table(table);
    return this.declared[table] ?? [];
  }

  #pageOf(items, start) {
    const from = start ?? 0;
    const next = from + this.page < items.length ? from + this.page : undefined;
    return { items: structuredClone(items.slice(from, from + this.page)), next };
  }

  async query(table, index, value, start) {
    await turn();
    const items = [...this.#table(table).values()].filter((item) => item[index.hash] && same(item[index.hash], value));
    return this.#pageOf(items.map(({ _id }) => ({ _id })), start);
  }

  async scan(table, start) {
    await turn();
    return this.#pageOf([...this.#table(table).values()], start);
  }

  async transact(writes) {
    await turn();
    if (this.conflicts > 0) {
      this.conflicts -= 1;
      throw new Refused(writes.map(() => 'TransactionConflict'));
    }
    const keys = writes.map(({ table, id }) => `${table}\n${id}`);
    if (writes.length > 100 || new Set(keys).size < keys.length) {
      throw Object.assign(new Error('more than 100 writes, or two of one item'), { name: 'ValidationException' });
    }
    const done = writes.map((write) => {
      const item = this.#table(write.table).get(write.id);
      const holds = write.conditions.every(({ name, op, value }) => HOLDS[op](item?.[name], value));
      return holds ? this.#applied(write, item) : { refused: 'ConditionalCheckFailed' };
    });
    if (done.some(({ refused }) => refused)) throw new Refused(done.map(({ refused }) => refused ?? 'None'));
    writes.forEach(({ table, id }, n) => {
      if (done[n].item) this.#table(table).set(id, done[n].item);
      else this.#table(table).delete(id);
    });
  }

  #applied(write, old) {
    if (write.type === 'delete') return {};
    if (write.type === 'put') return { item: structuredClone(write.item) };
    const item = structuredClone({ ...(old ?? { _id: { S: write.id } }), ...write.set });
    for (const name of write.remove) delete item[name];
    for (const [name, by] of Object.entries(write.add)) {
      const before = item[name] ?? { N: '0' };
      if (!('N' in before)) return { refused: 'ValidationError' };
      item[name] = { N: String(Number(before.N) + Number(by.N)) };
    }
    return { item };
  }
}

module.exports = { Memory };
