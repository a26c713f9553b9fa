'use strict';

const { HandlerError } = require('./values');

/** What is asked of any object by the language itself or by who prints it. */
const ASKED = new Set(['then', 'toJSON', 'constructor', 'inspect', 'prototype', 'valueOf', 'toString', 'hasOwnProperty']);

/** An object whose members that are not there say so when they are used: a handler must not go on with `undefined`. */
function strict(target, says) {
  return new Proxy(target, {
    get(object, name) {
      if (typeof name === 'symbol' || name in object || ASKED.has(name)) return Reflect.get(object, name);
      throw new HandlerError(says(name));
    },
  });
}

/** A thing that VK's framework has and this function has not. It may be named, as VK's templates do, but not used. */
function unsupported(what, instead) {
  const refuse = () => {
    throw new HandlerError(`${what} is not supported here; ${instead}`);
  };
  const get = (_, name) => (typeof name === 'symbol' || ASKED.has(name) ? undefined : refuse());
  return new Proxy(refuse, { get, apply: refuse, construct: refuse, has: () => false });
}

module.exports = { strict, unsupported };
