'use strict';
/**
 * `db.command`, known as `_`: what is done to a field (`_.inc`), and what a field must be (`_.gte`).
 *
 * Commands are instances of a class, so that no JSON from a payer can be one.
 */

const { HandlerError, at, equal, isPlain, isRegExp, normalize, numberOf, pathOf, snapshot } = require('./values');
const { strict } = require('./strict');

class Command {
  #op;
  #args;

  constructor(op, args) {
    this.#op = op;
    this.#args = snapshot(args);
  }

  static op(value) {
    return value instanceof Command ? value.#op : undefined;
  }

  static args(command) {
    return command.#args;
  }
}

/** The new value of a field, by its old one. Each throws what MongoDB would. */
const UPDATES = {
  set: (_, [value], where) => normalize(value, where),
  remove: () => undefined,
  inc: (old, [by], where) => numberOf(numeric(old, where) + amount(by, where), where),
  mul: (old, [by], where) => numberOf(numeric(old, where) * amount(by, where), where),
  max: (old, [value], where) => bound(old, value, where, (a, b) => a > b),
  min: (old, [value], where) => bound(old, value, where, (a, b) => a < b),
  push: (old, values, where) => [...list(old, where), ...pushed(values, where)],
  unshift: (old, values, where) => [...pushed(values, where), ...list(old, where)],
  pop: (old, _, where) => list(old, where).slice(0, -1),
  shift: (old, _, where) => list(old, where).slice(1),
  addToSet: (old, [value], where) => {
    const added = isPlain(value) && Array.isArray(value.$each) ? value.$each : [value];
    return added.reduce((all, item) => {
      const normal = normalize(item, where);
      return all.some((other) => equal(other, normal)) ? all : [...all, normal];
    }, list(old, where));
  },
  pull: (old, [value], where) => list(old, where).filter((item) => !matchesValue(item, value, where)),
  pullAll: (old, [values], where) => list(old, where).filter((item) => !values.some((v) => equal(normalize(v, where), item))),
};

function numeric(value = 0, where) {
  if (typeof value !== 'number') throw new HandlerError(`${where}: the row has no number there, but ${describe(value)}`);
  return value;
}

function amount(value, where) {
  if (typeof value !== 'number') throw new HandlerError(`${where}: the amount is not a number, but ${describe(value)}`);
  return numberOf(value, where);
}

function list(value, where) {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new HandlerError(`${where}: the row has no array there, but ${describe(value)}`);
  return value;
}

function pushed(values, where) {
  const [value] = values;
  if (isPlain(value) && Array.isArray(value.each)) {
    if (Object.keys(value).length > 1) throw new HandlerError(`${where}: push with position, slice or sort is not supported`);
    return normalize(value.each, where);
  }
  return Array.isArray(value) ? normalize(value, where) : values.map((one) => normalize(one, where));
}

function bound(old, value, where, wins) {
  const next = normalize(value, where);
  return old === undefined || (typeof old === typeof next && wins(next, old)) ? next : old;
}

const describe = (value) => (value === null ? 'null' : Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`);

const same = (a, b) => equal(a, b) || (Array.isArray(a) && a.some((item) => equal(item, b)));
const ordered = (value, other, holds) =>
  (Array.isArray(value) ? value : [value]).some((item) => typeof item === typeof other && item !== null && holds(item, other));

/** Whether a field's value is what a command asks for. */
const QUERIES = {
  eq: (value, [other], where) => same(value ?? null, operand(other, where)),
  neq: (value, [other], where) => !same(value ?? null, operand(other, where)),
  gt: (value, [other], where) => ordered(value, operand(other, where), (a, b) => a > b),
  gte: (value, [other], where) => ordered(value, operand(other, where), (a, b) => a >= b),
  lt: (value, [other], where) => ordered(value, operand(other, where), (a, b) => a < b),
  lte: (value, [other], where) => ordered(value, operand(other, where), (a, b) => a <= b),
  in: (value, [others], where) => operands(others, where).some((other) => same(value ?? null, other)),
  nin: (value, [others], where) => !operands(others, where).some((other) => same(value ?? null, other)),
  all: (value, [others], where) => operands(others, where).every((other) => same(value ?? null, other)),
  exists: (value, [yes = true]) => (value !== undefined) === Boolean(yes),
  size: (value, [length]) => Array.isArray(value) && value.length === length,
  and: (value, parts, where) => flat(parts).every((part) => matchesValue(value, part, where)),
  or: (value, parts, where) => flat(parts).some((part) => matchesValue(value, part, where)),
  not: (value, [part], where) => !matchesValue(value, part, where),
  nor: (value, parts, where) => !flat(parts).some((part) => matchesValue(value, part, where)),
};

const flat = (parts) => (parts.length === 1 && Array.isArray(parts[0]) ? parts[0] : parts);
const LOGICAL = ['and', 'or', 'not', 'nor'];

/** A value to compare with. Undefined would make a condition that everything meets. */
function operand(value, where) {
  if (value === undefined) throw new HandlerError(`${where}: undefined in a condition; does the order have what the handler reads?`);
  return normalize(value, where);
}

function operands(values, where) {
  if (!Array.isArray(values)) throw new HandlerError(`${where}: needs an array`);
  return values.map((value) => operand(value, where));
}

/** Whether one value meets a condition: a command, an expression, or the value itself. */
function matchesValue(value, condition, where) {
  const op = Command.op(condition);
  if (op !== undefined) {
    if (!Object.hasOwn(QUERIES, op)) throw new HandlerError(`${where}: _.${op} is no condition`);
    return QUERIES[op](value, Command.args(condition), where);
  }
  if (isRegExp(condition)) {
    const expression = new RegExp(condition.source, condition.flags.replace(/[gy]/g, ''));
    return (Array.isArray(value) ? value : [value]).some((item) => typeof item === 'string' && expression.test(item));
  }
  // A payer may send an object for a text: it must not ask for less than a text does.
  if (isPlain(condition) && Object.keys(condition).length > 0) {
    return value !== null && typeof value === 'object' && matches(value, condition, where);
  }
  return same(value ?? null, operand(condition, where));
}

/** Whether a row meets a filter. */
function matches(row, filter, where) {
  if (Command.op(filter) !== undefined) return matchesValue(row, filter, where);
  return Object.entries(filter).every(([name, condition]) =>
    matchesValue(at(row, pathOf(name, where)), condition, `${where}.${name}`),
  );
}

/** Refuses a filter that means something else than it says, whatever rows there are. */
function checkFilter(filter, where) {
  const op = Command.op(filter);
  if (op !== undefined) {
    if (!LOGICAL.includes(op)) throw new HandlerError(`${where}: _.${op} needs a field`);
    flat(Command.args(filter)).forEach((part) => checkFilter(part, where));
    return filter;
  }
  if (!isPlain(filter)) throw new HandlerError(`${where}: the filter is not an object`);
  for (const [name, condition] of Object.entries(filter)) {
    pathOf(name, where);
    if (isPlain(condition)) checkFilter(condition, `${where}.${name}`);
    else matchesValue(undefined, condition, `${where}.${name}`);
  }
  return filter;
}

/** What a filter says about top-level fields: `[name, condition]`; a condition that is no single one is undefined. */
function fieldsOf(filter) {
  const op = Command.op(filter);
  if (op === 'and') return flat(Command.args(filter)).flatMap(fieldsOf);
  if (op !== undefined) return flat(Command.args(filter)).flatMap(fieldsOf).map(([name]) => [name, undefined]);
  return Object.entries(filter).map(([name, condition]) => {
    const [top, ...rest] = name.split('.');
    return [top, rest.length > 0 || isPlain(condition) || isRegExp(condition) ? undefined : condition];
  });
}

/** The values that a condition allows a field, if it lists them. */
function listed(condition) {
  const op = Command.op(condition);
  if (op === 'eq') return [Command.args(condition)[0]];
  if (op === 'in') return Command.args(condition)[0];
  return op === undefined && condition !== undefined ? [condition] : undefined;
}

/** An update's changes, `[path, command or value]`: as uniCloud has it, an object changes the fields that it names. */
function changesOf(data, where, path = []) {
  if (!isPlain(data)) throw new HandlerError(`${where}: the data is not an object`);
  return Object.entries(data).flatMap(([name, value]) => {
    const full = [...path, ...pathOf(name, where)];
    if (value === undefined) return [];
    if (isPlain(value) && Object.keys(value).length > 0) return changesOf(value, `${where}.${name}`, full);
    const op = Command.op(value);
    if (op !== undefined && !Object.hasOwn(UPDATES, op)) throw new HandlerError(`${where}.${name}: _.${op} is no change of a field`);
    return [[full, op === undefined ? new Command('set', [value]) : value]];
  });
}

const chained = (command) => {
  const and = (op) => (...args) => chained(new Command('and', [command, new Command(op, args)]));
  for (const op of Object.keys(QUERIES)) {
    const join = op === 'and' || op === 'or' ? (...others) => chained(new Command(op, [command, ...flat(others)])) : and(op);
    Object.defineProperty(command, op, { value: join });
  }
  return command;
};

const make = (op) => (...args) => (Object.hasOwn(QUERIES, op) ? chained(new Command(op, args)) : new Command(op, args));

const command = strict(
  Object.fromEntries([...Object.keys(UPDATES), ...Object.keys(QUERIES)].map((op) => [op, make(op)])),
  (name) => `db.command.${name} is not supported here; read the rows and decide in the handler`,
);

module.exports = { Command, UPDATES, changesOf, checkFilter, command, fieldsOf, listed, matches };
