'use strict';
/**
 * Values: between JavaScript's and DynamoDB's, and paths within them.
 *
 * What a handler writes is checked here, before it can reach a table: money must not become NaN, and nothing that a payer
 * sent may become a prototype or an operator.
 */

const { isDate, isRegExp, isUint8Array } = require('node:util/types');
const { isDeepStrictEqual } = require('node:util');

/** The deepest value, as DynamoDB has it. */
const MAX_DEPTH = 32;

/** A mistake in a handler or its deployment; its message says what to do. */
class HandlerError extends Error {
  name = 'HandlerError';
}

const isPlain = (value) => {
  if (value === null || typeof value !== 'object') return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
};

/** Defines a member, whatever its name: an assignment to `__proto__` would change the prototype. */
const define = (object, name, value) =>
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });

/** A name that a row may have. */
function nameOf(name, where) {
  if (name === '' || name.startsWith('$') || name === '__proto__') {
    throw new HandlerError(`${where}: ${JSON.stringify(name)} is not a field's name; operators are written with db.command`);
  }
  return name;
}

function numberOf(value, where) {
  if (!Number.isFinite(value)) throw new HandlerError(`${where}: ${value} is not a number that can be stored`);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new HandlerError(`${where}: ${value} is beyond what JavaScript counts exactly (2^53)`);
  }
  return value;
}

/** The value as it will be read again: dates are numbers, members that are undefined are not there. */
function normalize(value, where, depth = 0) {
  if (depth > MAX_DEPTH) throw new HandlerError(`${where}: nested more than ${MAX_DEPTH} deep`);
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return numberOf(value, where);
    case 'object':
      break;
    default:
      throw new HandlerError(`${where}: ${typeof value} cannot be stored`);
  }
  if (value === null) return null;
  if (isDate(value)) return numberOf(value.getTime(), where);
  if (isUint8Array(value)) return Buffer.from(value);
  if (Array.isArray(value)) {
    return Array.from(value, (item, n) => (item === undefined ? null : normalize(item, `${where}[${n}]`, depth + 1)));
  }
  if (!isPlain(value)) {
    throw new HandlerError(`${where}: ${value.constructor?.name ?? 'this object'} cannot be stored here`);
  }
  const copy = {};
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) define(copy, nameOf(name, where), normalize(member, `${where}.${name}`, depth + 1));
  }
  return copy;
}

/** A copy of objects and arrays, with all else in it as it is: a handler may go on to change what it has passed. */
function snapshot(value) {
  if (Array.isArray(value)) return value.map(snapshot);
  if (!isPlain(value)) return value;
  const copy = {};
  for (const [name, member] of Object.entries(value)) define(copy, name, snapshot(member));
  return copy;
}

/** DynamoDB's form of a normalized value. */
function marshal(value) {
  if (value === null) return { NULL: true };
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value === 0 ? 0 : value) };
  if (typeof value === 'boolean') return { BOOL: value };
  if (isUint8Array(value)) return { B: value };
  if (Array.isArray(value)) return { L: value.map(marshal) };
  return { M: marshalRow(value) };
}

function marshalRow(row) {
  const item = {};
  for (const [name, value] of Object.entries(row)) define(item, name, marshal(value));
  return item;
}

/** JavaScript's form of an attribute. */
function unmarshal(attribute, where) {
  const [type, value] = Object.entries(attribute)[0];
  switch (type) {
    case 'S':
    case 'BOOL':
      return value;
    case 'N':
      return numberOf(Number(value), where);
    case 'NULL':
      return null;
    case 'B':
      return Buffer.from(value);
    case 'M':
      return unmarshalRow(value, where);
    case 'L':
      return value.map((item, n) => unmarshal(item, `${where}[${n}]`));
    case 'NS':
      return value.map((item) => numberOf(Number(item), where));
    case 'SS':
    case 'BS':
      return [...value];
    default:
      throw new HandlerError(`${where}: an attribute of type ${type} is not known`);
  }
}

function unmarshalRow(item, where) {
  const row = {};
  for (const [name, attribute] of Object.entries(item)) define(row, name, unmarshal(attribute, `${where}.${name}`));
  return row;
}

/** The steps of `a.b.0`. */
const pathOf = (name, where) => name.split('.').map((step) => nameOf(step, where));

/** What is at a path, or undefined. */
function at(value, path) {
  for (const step of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined;
    value = value[step];
  }
  return value;
}

/** A copy with another value at a path; objects on the way are made. `undefined` takes it out. */
function withAt(value, path, leaf, where) {
  if (path.length === 0) return leaf;
  const [step, ...rest] = path;
  if (value !== undefined && (value === null || typeof value !== 'object' || isUint8Array(value))) {
    throw new HandlerError(`${where}: there is something at ${JSON.stringify(step)}'s place that has no fields`);
  }
  const index = Array.isArray(value) ? Number(step) : undefined;
  if (index !== undefined && (!/^\d+$/.test(step) || index > value.length)) {
    throw new HandlerError(`${where}: ${JSON.stringify(step)} is no place in an array of ${value.length}`);
  }
  const copy = Array.isArray(value) ? [...value] : { ...value };
  const old = Object.hasOwn(copy, step) ? copy[step] : undefined;
  if (leaf === undefined && old === undefined) return copy;
  const next = withAt(old, rest, leaf, where);
  if (next !== undefined) define(copy, step, next);
  else if (index !== undefined) copy[index] = null;
  else delete copy[step];
  return copy;
}

module.exports = {
  HandlerError,
  at,
  define,
  equal: isDeepStrictEqual,
  isDate,
  isPlain,
  isRegExp,
  marshal,
  marshalRow,
  nameOf,
  normalize,
  numberOf,
  pathOf,
  snapshot,
  unmarshal,
  unmarshalRow,
  withAt,
};
