import { clientFields } from './env.js';
import { field, isPassing, noReply, readState } from './reply.js';
import type {
  CreateReply, InvokeResult, PayController, PayDeps, PayEvents, PayFailure, PayHooks, PayOptions, PayOutcome,
  PayStatus, QueryResult, Reply,
} from './types.js';

/** ms before the first question after a cashier's word, as VK-Pay waits. */
const FIRST = 200;
/** After so many questions they become rarer. */
const OFTEN = 20;
const RARE = 3000;
/** ms of asking after which a run ends as pending. */
const LONGEST = 180_000;
/** Questions after which a cashier's doubtful word, or a return without one, is all there is. */
const FEW = 5;
const RESUMED = 10;
/** ms between looks at whether the page is seen again. */
const HIDDEN = 500;
const LEAST_WAIT = 250;
const DAY = 86_400_000;

const DEFAULTS = {
  polling: false,
  pollingTime: 1500,
  maxPolls: 120,
  awaitNotify: false,
  payOrderInfo: true,
  queryAction: 'pay/queryPayment',
} satisfies PayOptions;

const STOPPED: PayOutcome = { type: 'stopped' };
const never = (): Promise<PayOutcome> => Promise.resolve(STOPPED);

interface Run {
  hooks: PayHooks;
  outTradeNo: string;
  stop(): void;
  stopped: Promise<PayOutcome>;
  /** When the order ends by this device's clock. */
  ends?: number;
}

interface Asking {
  first: number;
  most: number;
  otherwise?: PayOutcome | undefined;
}

/** One payment at a time: another `pay()` ends the one before it. Nothing is shared between controllers. */
export function createPayController(deps: PayDeps, options: PayOptions = {}, events: PayEvents = {}): PayController {
  const wait = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
  const sleep = globalThis.VK_PAY_ELEMENT ? wait : deps.sleep ?? wait;
  const now = globalThis.VK_PAY_ELEMENT ? Date.now : deps.now ?? Date.now;
  let opts = { ...DEFAULTS, ...options };
  let status: PayStatus = 0;
  let current: Run | undefined;
  let shown = false;

  // A listener's fault is reported like any other, and does not end a payment.
  function call<T>(listener: () => T): T | undefined {
    try {
      return listener();
    } catch (error) {
      setTimeout(() => { throw error; });
      return undefined;
    }
  }

  function setStatus(next: PayStatus): void {
    if (next === status) return;
    status = next;
    if (globalThis.VK_PAY_ELEMENT) return;
    call(() => events.status?.(next));
  }

  function show(codeUrl: string, image: string): void {
    if (globalThis.VK_PAY_ELEMENT) return;
    if (!shown && !codeUrl && !image) return;
    shown = Boolean(codeUrl || image);
    call(() => events.codeUrl?.(codeUrl));
    call(() => events.qrcodeImage?.(image));
  }

  function stop(): void {
    current?.stop();
    current = undefined;
    if (status === 1) setStatus(0);
    show('', '');
  }

  function begin(hooks: PayHooks, outTradeNo: string): Run {
    const again = current?.outTradeNo === outTradeNo && status === 1;
    current?.stop();
    if (!again) {
      setStatus(0);
      show('', '');
    }
    let end: (outcome: PayOutcome) => void = () => {};
    const stopped = new Promise<PayOutcome>((done) => { end = done; });
    current = { hooks, outTradeNo, stopped, stop: () => end(STOPPED) };
    return current;
  }

  async function finish(run: Run, flow: Promise<PayOutcome>): Promise<PayOutcome> {
    let outcome = await Promise.race([run.stopped, flow.catch((error) => failed(run, 'request', noReply(error)))]);
    if (run !== current) outcome = STOPPED;
    const { type } = outcome;
    if (run === current && type !== 'waiting' && type !== 'pending') {
      current = undefined;
      setStatus(type === 'success' ? 2 : 0);
      show('', '');
    }
    if (outcome.type !== 'stopped' && outcome.type !== 'waiting') {
      const ended = type as 'success';
      const reply = { out_trade_no: run.outTradeNo, ...outcome.reply } as Reply;
      if (!globalThis.VK_PAY_ELEMENT) {
        call(() => events[ended]?.(reply));
        call(() => run.hooks[ended]?.(reply));
      }
      outcome = { type: ended, reply };
    }
    if (!globalThis.VK_PAY_ELEMENT) call(() => run.hooks.complete?.(outcome));
    return outcome;
  }

  function failed(run: Run, failType: PayFailure['failType'], reply: Reply): PayOutcome {
    return { type: 'fail', reply: { ...reply, failType, out_trade_no: run.outTradeNo } };
  }

  async function create(run: Run, action: Parameters<PayDeps['transport']>[0], data: object): Promise<PayOutcome> {
    const order: Record<string, unknown> = { ...clientFields(deps.env, data as Record<string, unknown>), ...data };
    // Forms send what a field holds, and an empty openid is none.
    if (!order.openid) delete order.openid;
    let reply: Reply;
    try {
      const openid = order.openid ?? (globalThis.VK_PAY_ELEMENT ? undefined : await deps.openid?.(order));
      if (run !== current) return STOPPED;
      reply = await deps.transport(action, openid ? { ...order, openid } : order);
    } catch (error) {
      return failed(run, 'create', noReply(error));
    }
    if (run !== current) return STOPPED;
    // Paid already, by a tap whose answer was lost or in another window: the server tells the rest.
    if (reply.code === 2011) return ask(run, reply, { first: 0, most: FEW });
    if (reply.code !== 0) return failed(run, 'create', reply);
    const created = { ...reply.data, ...reply } as CreateReply;
    run.outTradeNo = String(created.out_trade_no ?? run.outTradeNo);
    const left = Number(created.time_expire) - now();
    // An order that has ended when it is made tells of a wrong clock, not of an end.
    if (left > 0 && left < 30 * DAY) run.ends = now() + left;
    if (!globalThis.VK_PAY_ELEMENT) call(() => events.create?.(created));
    if (call(() => run.hooks.create?.(created)) === false || run !== current) return STOPPED;
    setStatus(1);
    return pay(run, created);
  }

  async function pay(run: Run, created: CreateReply): Promise<PayOutcome> {
    const asking: Asking = { first: FIRST, most: opts.maxPolls };
    if (readState(created) === 'paid') return settle(run, created);
    if (!globalThis.VK_PAY_ELEMENT && /_codepay$/.test(created.pay_type)) {
      call(() => events.userPaying?.(created));
      call(() => run.hooks.userPaying?.(created));
      return ask(run, created, asking);
    }
    const told = await deps.invoke(created);
    if (!globalThis.VK_PAY_ELEMENT && told.result === 'purchase') return verify(run, told);
    if (run !== current) return STOPPED;
    const lost = (result: InvokeResult): PayOutcome => failed(run, 'request', {
      code: ('code' in result && Number(result.code)) || -1,
      msg: ('msg' in result && result.msg) || 'payment failed',
    });
    switch (told.result) {
      case 'ok':
        if (globalThis.VK_PAY_ELEMENT || opts.awaitNotify || opts.payOrderInfo) return ask(run, created, asking);
        return { type: 'success', reply: { ...created, clientOnly: true } };
      case 'cancel':
        return { type: 'cancel', reply: created };
      case 'fail':
        return lost(told);
      case 'unknown':
        if (globalThis.VK_PAY_ELEMENT || !told.otherwise) return ask(run, created, asking);
        return ask(run, created, {
          ...asking,
          most: FEW,
          otherwise: told.otherwise === 'cancel' ? { type: 'cancel', reply: created } : lost(told),
        });
      case 'qrcode':
        if (!globalThis.VK_PAY_ELEMENT) show(told.codeUrl, String(field(created, 'qrcodeImage') ?? ''));
    }
    if (!globalThis.VK_PAY_ELEMENT && !opts.polling) return { type: 'waiting', reply: created };
    return ask(run, created, { first: opts.pollingTime, most: opts.maxPolls });
  }

  async function pause(run: Run, ms: number): Promise<void> {
    await sleep(ms);
    while (run === current && deps.visible?.() === false) await sleep(HIDDEN);
  }

  function waitAfter(asked: number, reply: Reply): number {
    const own = asked < OFTEN ? opts.pollingTime : Math.max(opts.pollingTime, RARE);
    // Retry-After counts whole seconds, so the finer word goes first.
    const wished = Number(field(reply, 'next_poll_ms')) || Math.max(own, reply.retry_after_ms ?? 0);
    return Math.max(wished, LEAST_WAIT);
  }

  async function ask(run: Run, before: Reply, { first, most, otherwise }: Asking): Promise<PayOutcome> {
    let last = before;
    let spent = 0;
    let wait = first;
    for (let asked = 0; asked < most && spent + wait <= LONGEST;) {
      await pause(run, wait);
      if (run !== current) return STOPPED;
      const began = now();
      const { state, reply } = await query({ out_trade_no: run.outTradeNo, await_notify: false });
      if (run !== current) return STOPPED;
      last = reply;
      asked += 1;
      if (state === 'paid') return settle(run, reply);
      if (state === 'closed' || state === 'missing') return failed(run, 'result', ended(reply));
      if (state === 'unpaid' && run.ends !== undefined && now() >= run.ends) return failed(run, 'result', ended(reply));
      // A refusal to tell says nothing of the money, and another question would be refused too.
      if (state === 'unknown' && !isPassing(reply)) break;
      spent += wait + Math.max(0, now() - began);
      wait = waitAfter(asked, reply);
    }
    return otherwise && readState(last) === 'unpaid' ? otherwise : { type: 'pending', reply: last };
  }

  /** A closed order's reply may be a success as a reply; as a failure it has VK's codes. */
  function ended(reply: Reply): Reply {
    return reply.code === 2001 ? reply : { ...reply, code: 2012, msg: reply.code === 0 ? 'closed' : reply.msg };
  }

  async function settle(run: Run, reply: Reply): Promise<PayOutcome> {
    const handled = typeof field(reply, 'user_order_success') === 'boolean';
    const complete = opts.awaitNotify ? handled : !opts.payOrderInfo || field(reply, 'payOrder') !== undefined;
    if (complete) return { type: 'success', reply };
    const more = await query({ out_trade_no: run.outTradeNo, await_notify: opts.awaitNotify });
    return { type: 'success', reply: more.paid ? more.reply : reply };
  }

  const verify = globalThis.VK_PAY_ELEMENT ? never : async (run: Run, bought: InvokeResult & { result: 'purchase' }): Promise<PayOutcome> => {
    let wait = 0;
    for (let tries = 1; ; tries++) {
      if (wait) await sleep(wait);
      const reply = await deps.transport(bought.action, bought.data).catch(noReply);
      if (readState(reply) === 'paid') {
        // What cannot be finished now comes again, and restoring finishes it.
        await bought.finish().catch(() => {});
        return run === current ? settle(run, reply) : STOPPED;
      }
      if (run !== current) return STOPPED;
      if (!isPassing(reply)) return failed(run, 'result', reply);
      if (tries >= FEW) return { type: 'pending', reply };
      wait = waitAfter(tries, reply);
    }
  };

  async function query(data: Record<string, unknown>): Promise<QueryResult> {
    const asked = { pay_order_info: opts.payOrderInfo, ...data };
    const reply = await deps.transport(opts.queryAction, asked).catch(noReply);
    const state = readState(reply);
    return { state, paid: state === 'paid', reply };
  }

  function outTradeNoOf(data: object): string {
    return String((data as { out_trade_no?: unknown }).out_trade_no ?? '');
  }

  return {
    get status() { return status; },
    pay(action, data, hooks = {}) {
      stop();
      const run = begin(hooks, outTradeNoOf(data));
      return finish(run, create(run, action, data));
    },
    resume(data, hooks = {}) {
      const run = begin(hooks, outTradeNoOf(data));
      setStatus(1);
      return finish(run, ask(run, { code: -1, msg: 'not asked' }, { first: 0, most: RESUMED }));
    },
    query,
    stop,
    set(changed) { opts = { ...opts, ...changed }; },
  };
}
