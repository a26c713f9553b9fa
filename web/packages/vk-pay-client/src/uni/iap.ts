import { messageOf, noReply, readState } from '../reply.js';
import { PayError, type CreateReply, type InvokeResult, type Reply, type Transport } from '../types.js';
import { callUni, type Told, type Uni } from './api.js';

const VERIFY = 'pay/appleiap/verifyReceipt';
const KEPT = 'vk-pay-appleiap';
const MOST_KEPT = 50;
const PURCHASED = ['1', '3'];
const FAILED = '2';

/** A transaction of StoreKit 1, as uni-app gives it. */
interface Transaction {
  transactionIdentifier?: string;
  transactionReceipt?: string;
  transactionState?: string | number;
  payment?: { productid?: string; username?: string };
}

interface Store {
  id: string;
  requestProduct(ids: string[], done: (products: unknown) => void, failed: (told: Told) => void): void;
  finishTransaction(transaction: Transaction, done: () => void, failed: (told: Told) => void): void;
  restoreCompletedTransactions(options: object, done: (list: Transaction[]) => void, failed: (told: Told) => void): void;
}

/** A purchase that was begun: its order is found again by any of the rest, for a transaction may lack its username. */
interface Kept {
  out_trade_no: string;
  productid: string;
  username: string;
  transaction?: string | undefined;
}

/** What became of a transaction that was waiting in the store. */
export interface Restored {
  transaction: string;
  /** Absent when nothing on this device tells which order it pays. */
  out_trade_no?: string;
  paid: boolean;
  finished: boolean;
  reply?: Reply;
}

async function store(uni: Uni): Promise<Store> {
  const { told } = await callUni(uni.getProvider?.bind(uni), { service: 'payment' });
  const found = (told.providers as Store[] | undefined)?.find(({ id }) => id === 'appleiap');
  if (!found) throw new PayError(-1, 'appleiap: no such provider in this app');
  return found;
}

function kept(uni: Uni): Kept[] {
  const list = uni.getStorageSync?.(KEPT);
  return Array.isArray(list) ? list as Kept[] : [];
}

function keep(uni: Uni, purchase: Kept): void {
  const others = kept(uni).filter((other) => other.out_trade_no !== purchase.out_trade_no);
  uni.setStorageSync?.(KEPT, [...others, purchase].slice(-MOST_KEPT));
}

function forget(uni: Uni, outTradeNo: string): void {
  uni.setStorageSync?.(KEPT, kept(uni).filter((purchase) => purchase.out_trade_no !== outTradeNo));
}

function finish(iap: Store, transaction: Transaction): Promise<void> {
  return new Promise((done, failed) => {
    iap.finishTransaction(transaction, done, (told) => failed(new PayError(-1, messageOf(told))));
  });
}

function proof(outTradeNo: string, transaction: Transaction): object {
  return {
    out_trade_no: outTradeNo,
    transaction_receipt: transaction.transactionReceipt,
    transaction_identifier: transaction.transactionIdentifier,
  };
}

/** Buys by StoreKit. The transaction stays open until the server has verified it. */
export async function buyApple(uni: Uni, created: CreateReply): Promise<InvokeResult> {
  const info = created.orderInfo as { productid: string; username: string };
  const { out_trade_no } = created;
  let iap: Store;
  try {
    iap = await store(uni);
    await new Promise((done, failed) => iap.requestProduct([info.productid], done, failed));
  } catch (error) {
    return { result: 'fail', msg: messageOf(error), raw: error };
  }
  const purchase: Kept = { out_trade_no, productid: info.productid, username: info.username };
  keep(uni, purchase);
  const { ok, told } = await callUni(uni.requestPayment?.bind(uni), {
    provider: 'appleiap',
    orderInfo: { ...info, manualFinishTransaction: true },
  });
  if (!ok) {
    const cancel = Number(told.errCode ?? told.code) === 2 || /cancel/i.test(String(told.errMsg ?? ''));
    if (cancel) forget(uni, out_trade_no);
    return cancel ? { result: 'cancel', raw: told } : { result: 'fail', msg: messageOf(told), raw: told };
  }
  const transaction = told as Transaction;
  keep(uni, { ...purchase, transaction: transaction.transactionIdentifier });
  return {
    result: 'purchase',
    action: VERIFY,
    data: proof(out_trade_no, transaction),
    async finish() {
      await finish(iap, transaction);
      forget(uni, out_trade_no);
    },
    raw: told,
  };
}

function orderOf(list: Kept[], { transactionIdentifier, payment }: Transaction): string | undefined {
  const exact = list.find((purchase) => purchase.transaction && purchase.transaction === transactionIdentifier)
    ?? list.find(({ username }) => username && username === payment?.username);
  if (exact) return exact.out_trade_no;
  const alike = list.filter(({ productid, transaction }) => !transaction && productid === payment?.productid);
  return alike.length === 1 ? alike[0]?.out_trade_no : undefined;
}

/**
 * Brings purchases that were paid but not finished to the server: after a crash, a lost network, a closed app.
 * Only what the server has verified is finished; the rest comes again at the next call.
 */
export async function restorePurchases(uni: Uni, transport: Transport): Promise<Restored[]> {
  const iap = await store(uni);
  const list = await new Promise<Transaction[]>((done, failed) => {
    const options = { manualFinishTransaction: true, username: '' };
    iap.restoreCompletedTransactions(options, done, (told) => failed(new PayError(-1, messageOf(told))));
  });
  const restored: Restored[] = [];
  for (const transaction of list) {
    const state = String(transaction.transactionState);
    const name = transaction.transactionIdentifier ?? '';
    if (state === FAILED) await finish(iap, transaction).catch(() => {});
    if (!PURCHASED.includes(state)) continue;
    const out_trade_no = orderOf(kept(uni), transaction);
    if (!out_trade_no) {
      restored.push({ transaction: name, paid: false, finished: false });
      continue;
    }
    const reply = await transport(VERIFY, proof(out_trade_no, transaction)).catch(noReply);
    const paid = readState(reply) === 'paid';
    const finished = paid && await finish(iap, transaction).then(() => true, () => false);
    if (finished) forget(uni, out_trade_no);
    restored.push({ transaction: name, out_trade_no, paid, finished, reply });
  }
  return restored;
}
