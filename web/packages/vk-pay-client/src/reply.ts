import { PayError, type OrderState, type Reply } from './types.js';

/** Reads a field of a reply, flat or under `data`. */
export function field(reply: Reply, name: string): unknown {
  const { data } = reply;
  return reply[name] ?? (data && typeof data === 'object' ? data[name] : undefined);
}

/** Reads how an order stands: by `trade_state`, by VK's integer, by `orderPaid`, or by the codes alone. */
export function readState(reply: Reply): OrderState {
  switch (field(reply, 'trade_state') ?? field(reply, 'status')) {
    case 'SUCCESS': case 'REFUND': case 1: case 2: case 3:
      return 'paid';
    case 'CLOSED': case -1:
      return 'closed';
    case 'NOTPAY': case 0:
      return 'unpaid';
  }
  if (reply.code === 2001) return 'missing';
  if (reply.code === 2002 || field(reply, 'orderPaid') === false) return 'unpaid';
  return field(reply, 'orderPaid') === true ? 'paid' : 'unknown';
}

/** A reply that may be another one soon: nothing came, too many requests, a fault, or an outcome nobody knows. */
export function isPassing({ code }: Reply): boolean {
  return code < 0 || code === 429 || (code >= 500 && code < 600) || code === 5040 || code === 2013;
}

/** What stands for a reply where there is none. */
export function noReply(error: unknown): Reply {
  return {
    code: error instanceof PayError ? error.code : -1,
    msg: messageOf(error),
  };
}

export function messageOf(error: unknown): string {
  const told = error as { message?: unknown; errMsg?: unknown; msg?: unknown } | null | undefined;
  return String(told?.message || told?.errMsg || told?.msg || error || 'no reply');
}

/**
 * How a payment ends whose payer leaves, by what the server says then. It is cancelled only where it cannot have been
 * paid: the server knows that it is not, and there was no sign (`doubt`) that it is.
 */
export function endOf(state: OrderState, doubt: boolean): 'success' | 'cancel' | 'pending' {
  if (state === 'paid') return 'success';
  return state === 'unknown' || (doubt && state === 'unpaid') ? 'pending' : 'cancel';
}
