import { createPayController } from '../src/controller.js';
import { detectEnv } from '../src/env.js';
import type {
  Action, CreateReply, Invoke, InvokeResult, PayDeps, PayEvents, PayOptions, Reply,
} from '../src/types.js';

export const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

/** A clock that stands still until it is told to go on. */
export class Clock {
  time = 1_800_000_000_000;
  private sleepers: { at: number; done: () => void }[] = [];

  readonly now = (): number => this.time;

  readonly sleep = (ms: number): Promise<void> => new Promise((done) => {
    this.sleepers.push({ at: this.time + ms, done });
  });

  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      await settle();
      const next = this.sleepers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.sleepers.splice(this.sleepers.indexOf(next), 1);
      this.time = next.at;
      next.done();
    }
    this.time = end;
    await settle();
  }
}

export const UNPAID: Reply = { code: 2002, msg: '订单未支付', trade_state: 'NOTPAY', status: 0 };
export const PAID: Reply = { code: 0, msg: '成功', trade_state: 'SUCCESS', status: 1, orderPaid: true, payOrder: {} };

export const created = (outTradeNo: string, more: Partial<CreateReply> = {}): CreateReply => ({
  code: 0, msg: '成功', provider: 'wxpay', pay_type: 'wxpay_h5', out_trade_no: outTradeNo,
  orderInfo: { codeUrl: `weixin://${outTradeNo}` }, ...more,
});

export interface Asked {
  action: string;
  data: Record<string, unknown>;
  at: number;
}

export interface Bench {
  clock: Clock;
  asked: Asked[];
  /** The queries alone. */
  queries(): Asked[];
  log: [string, unknown][];
  names(): string[];
  controller: ReturnType<typeof createPayController>;
}

export interface Scene {
  clock?: Clock;
  options?: PayOptions;
  told?: InvokeResult | Invoke;
  create?: Partial<CreateReply>;
  /** What each query answers; the last goes on. An error is a lost network. */
  replies?: (Reply | Error)[];
  other?: (action: string, data: Record<string, unknown>) => Promise<Reply>;
  deps?: Partial<PayDeps>;
}

/** A controller with a clock, a server and a cashier of the test's own, and what it told. */
export function bench(scene: Scene = {}): Bench {
  const { clock = new Clock(), options = {}, told = { result: 'ok' }, replies = [PAID] } = scene;
  const asked: Asked[] = [];
  const log: [string, unknown][] = [];
  let turn = 0;
  const transport = async (action: Action, fields: object): Promise<Reply> => {
    const name = typeof action === 'string' ? action : action.action ?? '';
    const data = fields as Record<string, unknown>;
    asked.push({ action: name, data, at: clock.time });
    if (name === 'pay/createPayment') return JSON.parse(JSON.stringify(created(String(data.out_trade_no), scene.create))) as Reply;
    if (name !== 'pay/queryPayment') return scene.other!(name, data);
    const reply = replies[Math.min(turn++, replies.length - 1)]!;
    if (reply instanceof Error) throw reply;
    return reply;
  };
  const names = ['status', 'codeUrl', 'qrcodeImage', 'create', 'success', 'fail', 'cancel', 'userPaying', 'pending'];
  const events = Object.fromEntries(names.map((name) => [name, (value: unknown) => log.push([name, value])])) as PayEvents;
  const controller = createPayController({
    transport,
    invoke: typeof told === 'function' ? told : async () => told,
    env: detectEnv('mp-weixin'),
    sleep: clock.sleep,
    now: clock.now,
    ...scene.deps,
  }, options, events);
  return {
    clock, asked, log, controller,
    queries: () => asked.filter(({ action }) => action === 'pay/queryPayment'),
    names: () => log.map(([name]) => name),
  };
}

export const order = (outTradeNo = 'T0000001'): Record<string, unknown> => ({
  provider: 'wxpay', out_trade_no: outTradeNo, total_fee: 100, subject: 'Test', type: 'recharge',
});
