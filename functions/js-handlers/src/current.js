'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const { HandlerError } = require('./values');

/** The session of the delivery that the code at hand runs for. */
const sessions = new AsyncLocalStorage();

/** Calls of a handler are its session's, wherever it got `db` or `uniCloud` from. */
function during(label, work) {
  const session = sessions.getStore();
  if (!session) throw new HandlerError(`${label}: there is no delivery; call it in the function that the file exports`);
  return session.run(label, () => work(session));
}

module.exports = { during, sessions };
