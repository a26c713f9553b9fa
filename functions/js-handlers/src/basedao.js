'use strict';
/** `vk.baseDao`, as VK's documentation has it (https://vkdoc.fsq.pub/client/uniCloud/db/api.html). */

const { Transaction, database, projected, startTransaction, within } = require('./database');
const { HandlerError, isPlain, pathOf, snapshot } = require('./values');
const { strict } = require('./strict');

/** Beijing's time, as VK writes it. */
const clockText = (ms) => new Date(ms + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');

/** The names of VK's parameters, and those that its users write for them. */
function read(parameters, method) {
  if (!isPlain(parameters)) throw new HandlerError(`vk.baseDao.${method}: the parameter is not an object`);
  const { dbName, db, whereJson = parameters.where, fieldJson, dataJson } = parameters;
  if (db !== undefined && db !== database && !(db instanceof Transaction)) {
    throw new HandlerError(`vk.baseDao.${method}: another database (db) is not supported here; all tables are DynamoDB's`);
  }
  return { ...parameters, dbName, db, whereJson: snapshot(whereJson), fieldJson, dataJson };
}

/** A method: its parameters, its session, its table. */
const method = (name, work) => async (parameters) => {
  const options = read(parameters, name);
  const transaction = options.db instanceof Transaction ? options.db : undefined;
  return await within(transaction, `vk.baseDao.${name}`, (session) => work(session, session.table(options.dbName), options));
};

const filterOf = ({ whereJson, dbName }, name) => {
  if (whereJson === undefined || whereJson === null) throw new HandlerError(`vk.baseDao.${name}: ${dbName} needs whereJson`);
  return whereJson;
};

const without = ({ _id, ...data }) => data;

function stamped(data, { cancelAddTime, cancelAddTimeStr }) {
  if (!isPlain(data)) throw new HandlerError('vk.baseDao.add: dataJson is not an object');
  if (cancelAddTime) return data;
  const now = Date.now();
  return { _add_time: now, ...(!cancelAddTimeStr && { _add_time_str: clockText(now) }), ...data };
}

/** `sortArr`, or `"create_date desc"`. */
function orderOf({ sortArr, orderBy }) {
  if (sortArr === undefined && typeof orderBy === 'string') {
    const parts = orderBy.split(',').map((part) => part.trim().split(/\s+/));
    return orderOf({ sortArr: parts.map(([name, type]) => ({ name, type })) });
  }
  return (sortArr ?? []).map(({ name, type = 'asc' }) => ({ path: pathOf(name, 'sortArr'), descending: String(type).toLowerCase() === 'desc' }));
}

const one = (name) =>
  method(name, async (session, table, options) => {
    const [row] = await session.select(table, filterOf(options, name), { order: orderOf(options), limit: 1 });
    return projected(row, options.fieldJson) ?? null;
  });

const page = (name) =>
  method(name, async (session, table, options) => {
    for (const join of ['foreignDB', 'foreignKey', 'groupJson', 'treeProps', 'lastWhereJson', 'addFields', 'unwind']) {
      if (options[join] !== undefined) {
        throw new HandlerError(`vk.baseDao.${name}: ${join} is not supported here; read each table and join in the handler`);
      }
    }
    if (options.data !== undefined) {
      throw new HandlerError(`vk.baseDao.${name}: data (of a page's table) is not supported here; pass pageIndex, pageSize, whereJson and sortArr`);
    }
    const { pageIndex = 1, pageSize = 10, getOne, getMain, getCount, whereJson = {} } = options;
    const all = pageSize === -1;
    const size = all ? 1000 : getOne ? 1 : pageSize;
    if (!Number.isInteger(size) || size < 1 || size > 1000 || !Number.isInteger(pageIndex) || pageIndex < 1) {
      throw new HandlerError(`vk.baseDao.${name}: pageIndex from 1, pageSize from 1 to 1000`);
    }
    const skip = (pageIndex - 1) * size;
    // One more, to know whether there is more.
    const found = await session.select(table, whereJson, { order: orderOf(options), skip, limit: size + 1 });
    const rows = found.slice(0, size).map((row) => projected(row, options.fieldJson));
    if (getOne) return getMain ? rows[0] : { code: 0, msg: 'ok', rows: rows[0] };
    if (getMain) return rows;
    const hasMore = found.length > size;
    const total = getCount ? (await session.values(table, whereJson)).length : skip + found.length;
    return { code: 0, msg: 'ok', rows, total, hasMore, pagination: { pageIndex, pageSize }, getCount: Boolean(getCount) };
  });

const numbers = async (session, table, { whereJson = {}, fieldName }) => {
  const path = pathOf(String(fieldName), 'fieldName');
  const rows = await session.values(table, whereJson, path[0]);
  return rows.map((row) => path.reduce((value, step) => value?.[step], row)).filter((value) => typeof value === 'number');
};

const METHODS = {
  add: method('add', (session, table, options) => session.insert(table, stamped(options.dataJson, options))),
  adds: method('adds', async (session, table, options) => {
    if (!Array.isArray(options.dataJson)) throw new HandlerError('vk.baseDao.adds: dataJson is not an array');
    const ids = [];
    for (const data of options.dataJson) ids.push(await session.insert(table, stamped(data, options)));
    return ids;
  }),
  del: method('del', (session, table, options) => session.remove(table, filterOf(options, 'del'))),
  deleteById: method('deleteById', (session, table, { id }) => session.removeById(table, id)),
  update: method('update', async (session, table, options) => {
    const { updated } = await session.update(table, filterOf(options, 'update'), without(options.dataJson ?? {}));
    return updated;
  }),
  updateById: method('updateById', async (session, table, { id, dataJson, getUpdateData }) => {
    if (getUpdateData) return (await session.updateAndReturnById(table, id, without(dataJson ?? {}))).row;
    return (await session.updateById(table, id, without(dataJson ?? {}))).updated;
  }),
  updateAndReturn: method('updateAndReturn', async (session, table, options) => {
    const data = without(options.dataJson ?? {});
    if (options.id !== undefined) return (await session.updateAndReturnById(table, options.id, data)).row;
    return (await session.updateAndReturn(table, filterOf(options, 'updateAndReturn'), data)).row;
  }),
  setById: method('setById', async (session, table, { id, dataJson }) => {
    if (!isPlain(dataJson)) throw new HandlerError('vk.baseDao.setById: dataJson is not an object');
    if (id !== undefined && id !== dataJson._id) throw new HandlerError('vk.baseDao.setById: id is not the _id of dataJson');
    const there = await session.replace(table, dataJson._id, dataJson);
    return there ? { type: 'update' } : { type: 'add', id: dataJson._id };
  }),
  findById: method('findById', async (session, table, { id, fieldJson }) => projected(await session.find(table, id), fieldJson)),
  findByWhereJson: one('findByWhereJson'),
  find: one('find'),
  select: page('select'),
  selects: page('selects'),
  getTableData: page('getTableData'),
  count: method('count', async (session, table, { whereJson = {} }) => (await session.values(table, whereJson)).length),
  sum: method('sum', async (...call) => (await numbers(...call)).reduce((sum, n) => sum + n, 0)),
  avg: method('avg', async (...call) => {
    const all = await numbers(...call);
    return all.length === 0 ? 0 : all.reduce((sum, n) => sum + n, 0) / all.length;
  }),
  max: method('max', async (...call) => (await numbers(...call)).reduce((a, b) => (a === undefined || b > a ? b : a), undefined)),
  min: method('min', async (...call) => (await numbers(...call)).reduce((a, b) => (a === undefined || b < a ? b : a), undefined)),
  startTransaction,
  /** Rolls back, and gives what the handler is to return: a failure. */
  async rollbackTransaction({ db, err }) {
    if (!(db instanceof Transaction)) throw new HandlerError('vk.baseDao.rollbackTransaction: db is not a transaction');
    await db.rollback();
    if (isPlain(err)) return { code: -1, ...err };
    return { code: -1, msg: err instanceof Error ? err.message : String(err ?? '事务已回滚') };
  },
};

const baseDao = strict(METHODS, (name) => {
  return `vk.baseDao.${String(name)} is not supported here; read the rows with vk.baseDao.select and compute in the handler`;
});

module.exports = { baseDao };
