'use strict';
/** What VK's handlers find around them: `uniCloud`, `vk`, `vkPay`, and the members of `util`. */

const { aes } = require('./aes');
const { baseDao } = require('./basedao');
const { during } = require('./current');
const { database } = require('./database');
const { request } = require('./http');
const { HandlerError, isPlain } = require('./values');
const { strict, unsupported } = require('./strict');

const OWN = 'put what you need of it into a file beside the handler and require that';

/** What is set once per instance: who is called, and with what key. */
const settings = { notifyKey: undefined, functions: new Map(), invoke: undefined };

async function callFunction({ name, data = {} } = {}) {
  return await during('uniCloud.callFunction', async (session) => {
    const target = settings.functions.get(name);
    if (!target) throw new HandlerError(`uniCloud.callFunction: no Lambda function is named ${JSON.stringify(name)} in PAY_CALL_FUNCTIONS`);
    const key = session.requestKey(`callFunction ${name}`);
    // An order that is passed on has the key of its own delivery, which all requests of a file would share.
    const own = data?.idempotency_key ?? session.key;
    const payload = isPlain(data) ? { ...data, idempotency_key: own === session.key ? key : own } : data;
    const { error, payload: result, requestId } = await settings.invoke(target, payload, session.signal).catch((cause) => {
      // AWS says it with the account and the role, and payers may read a message.
      if (cause?.name !== 'AccessDeniedException') throw cause;
      throw new HandlerError(`uniCloud.callFunction: no right to call ${name}; give its ARN to the stack, parameter CallFunctionArns`, { cause });
    });
    if (error) throw new HandlerError(`uniCloud.callFunction: ${name} failed: ${error}`);
    return { success: true, requestId, result };
  });
}

const crypto = { aes: aes(() => settings.notifyKey) };

const vkPay = strict(
  { crypto },
  (name) => `vkPay.${String(name)} is not supported in a handler; call the function of that action from your own server`,
);

const vk = strict(
  {
    baseDao,
    db: database,
    crypto,
    async callFunction({ name = 'router', url, data = {} }) {
      return (await callFunction({ name, data: { $url: url, data } })).result;
    },
    pubfn: unsupported('vk.pubfn', OWN),
    daoCenter: unsupported('vk.daoCenter', OWN),
    redis: unsupported('vk.redis', OWN),
  },
  (name) => `vk.${String(name)} is not supported here; ${OWN}`,
);

const uniCloud = strict(
  {
    vk,
    database(options) {
      if (options !== undefined) throw new HandlerError('uniCloud.database: another database is not supported here; all tables are DynamoDB\'s');
      return database;
    },
    callFunction,
    httpclient: strict(
      { request: (url, options) => during('uniCloud.httpclient.request', (session) => request(session, url, options)) },
      (name) => `uniCloud.httpclient.${String(name)} is not supported here; use uniCloud.httpclient.request`,
    ),
  },
  (name) => `uniCloud.${String(name)} is not supported here; use uniCloud.httpclient.request or uniCloud.callFunction`,
);

const util = strict(
  {
    vk,
    db: database,
    _: database.command,
    $: unsupported('db.command.aggregate', 'read the rows and compute in the handler'),
    ...Object.fromEntries(
      ['uniID', 'config', 'pubFun', 'customUtil', 'redis'].map((name) => [name, unsupported(`util.${name}`, OWN)]),
    ),
  },
  (name) => `util.${String(name)} is not supported here; ${OWN}`,
);

/** As in uniCloud, files may use these without requiring them. */
function install(chosen) {
  Object.assign(settings, chosen);
  Object.assign(globalThis, { uniCloud, vk, vkPay });
}

module.exports = { crypto, database, install, util, vkPay };
