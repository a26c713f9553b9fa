'use strict';
/**
 * Random handlers against a model that knows no transactions: what they read while they run, and what the tables have
 * afterwards, must be what plain objects say. `PAY_TEST_SEED` runs one seed, `PAY_TEST_RUNS` more of them.
 */

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Shop } = require('./kit');

function random(seed) {
  let state = seed * 2654435761 + 1;
  return (n) => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0;
    return (state >>> 3) % n;
  };
}

const clone = structuredClone;

/** One step: what a handler does, and what it does to plain objects. Each gives what the handler is told. */
const STEPS = [
  (r, id) => {
    const by = r(5) - 2;
    return {
      run: ({ c, _ }) => c.doc(id).update({ n: _.inc(by) }).then(({ updated }) => updated),
      model: (rows) => {
        if (!rows.has(id)) return 0;
        const old = clone(rows.get(id));
        rows.get(id).n = (old.n ?? 0) + by;
        return old.n === rows.get(id).n ? 0 : 1;
      },
    };
  },
  (r, id) => {
    const to = r(3);
    return {
      run: ({ c }) => c.doc(id).update({ n: to }).then(({ updated }) => updated),
      model: (rows) => {
        if (!rows.has(id)) return 0;
        const changed = rows.get(id).n !== to;
        rows.get(id).n = to;
        return changed ? 1 : 0;
      },
    };
  },
  (r, id) => ({
    run: ({ c, _ }) => c.doc(id).update({ n: _.remove() }).then(({ updated }) => updated),
    model: (rows) => {
      const changed = rows.get(id)?.n !== undefined;
      if (changed) delete rows.get(id).n;
      return changed ? 1 : 0;
    },
  }),
  (r, id) => {
    const k = r(4);
    return {
      run: ({ c, _ }) => c.doc(id).update({ deep: { k: _.inc(k + 1) }, list: _.push(k) }).then(({ updated }) => updated),
      model: (rows) => {
        const row = rows.get(id);
        if (!row) return 0;
        row.deep = { ...row.deep, k: (row.deep?.k ?? 0) + k + 1 };
        row.list = [...(row.list ?? []), k];
        return 1;
      },
    };
  },
  (r, id) => {
    const n = r(9);
    return {
      run: ({ c }) => c.doc(id).set({ n }).then(({ updated }) => updated),
      model: (rows) => {
        const there = rows.has(id);
        rows.set(id, { _id: id, n });
        return there ? 1 : 0;
      },
    };
  },
  (r, id) => ({
    run: ({ c }) => c.add({ _id: id, n: 1 }).then(() => 'added', () => 'there'),
    model: (rows) => {
      if (rows.has(id)) return 'there';
      rows.set(id, { _id: id, n: 1 });
      return 'added';
    },
  }),
  (r, id) => ({
    run: ({ c }) => c.doc(id).remove().then(({ deleted }) => deleted),
    model: (rows) => (rows.delete(id) ? 1 : 0),
  }),
  (r) => {
    const least = r(6);
    return {
      run: ({ c, _ }) => c.where({ n: _.gte(least) }).update({ n: _.inc(1), hit: true }).then(({ updated }) => updated),
      model: (rows) => {
        const found = [...rows.values()].filter(({ n }) => n >= least);
        found.forEach((row) => Object.assign(row, { n: row.n + 1, hit: true }));
        return found.length;
      },
    };
  },
  (r, id) => ({
    run: ({ c }) => c.doc(id).get().then(({ data }) => data[0] ?? null),
    model: (rows) => clone(rows.get(id) ?? null),
  }),
  (r) => {
    const inner = Array.from({ length: r(4) }, () => STEPS[r(8)](r, `r${r(4)}`));
    const back = r(2) === 0;
    return {
      async run({ db, _ }) {
        const transaction = await db.startTransaction();
        const told = [];
        for (const step of inner) told.push(await step.run({ c: transaction.collection('things'), db, _ }));
        await (back ? transaction.rollback() : transaction.commit());
        return told;
      },
      model(rows) {
        const before = clone([...rows]);
        const told = inner.map((step) => step.model(rows));
        if (back) {
          rows.clear();
          before.forEach(([key, row]) => rows.set(key, row));
        }
        return told;
      },
    };
  },
];

const sorted = (rows) => rows.toSorted((a, b) => (a._id < b._id ? -1 : 1));

async function play(seed) {
  const r = random(seed);
  const rows = new Map();
  for (let n = 0; n < 4; n += 1) if (r(2)) rows.set(`r${n}`, { _id: `r${n}`, n: r(6), other: 'x' });
  const shop = new Shop().put('things', ...rows.values());
  const model = new Map(clone([...rows]));
  const steps = Array.from({ length: 1 + r(12) }, () => STEPS[r(STEPS.length)](r, `r${r(4)}`));
  const told = [];
  const expected = [];
  const answer = await shop.deliver(async (obj, { db, _ }) => {
    for (const step of steps) {
      told.push(await step.run({ c: db.collection('things'), db, _ }));
      expected.push(step.model(model));
    }
    return true;
  });
  assert.deepEqual(answer, { code: 0, msg: 'ok' });
  assert.deepEqual(told, expected);
  assert.deepEqual(sorted(shop.rows('things')), sorted([...model.values()]));
}

test('handlers by chance read and write what plain objects would', async (t) => {
  const one = process.env.PAY_TEST_SEED;
  const runs = Number(process.env.PAY_TEST_RUNS ?? 300);
  for (let seed = one ? Number(one) : 1; seed <= (one ? Number(one) : runs); seed += 1) {
    await play(seed).catch((error) => {
      t.diagnostic(`PAY_TEST_SEED=${seed}`);
      throw error;
    });
  }
});
