/** What is known of a call that failed. */
export interface Failure {
  code: number;
  message: string;
  status?: number;
  requestId?: string | undefined;
  field?: string | undefined;
  retryable?: boolean;
  outcomeUnknown?: boolean;
  data?: Record<string, unknown>;
  cause?: unknown;
}

/**
 * Everything that goes wrong: a reply whose `code` is not 0, no reply, an amount that is none, a delivery that is not
 * genuine. Act on `code` and `status`, not on the message.
 */
export class VkPayError extends Error {
  override readonly name = 'VkPayError';
  /** The reply's code (docs/codes.md of the project), {@link NO_REPLY} where there is no readable reply. */
  readonly code: number;
  /** The HTTP status of the reply. 0 where none came, or nothing was sent. Of a delivery, the one to answer with. */
  readonly status: number;
  /** The reply's `request_id`: the functions' log has it. */
  readonly requestId: string | undefined;
  /** The field of the request that is at fault, where one is: `total_fee`, `payee_info.identity`. */
  readonly field: string | undefined;
  /**
   * Whether the same call may be sent again later, unchanged, without doing anything twice, and may then end
   * otherwise. The client has done so itself already where there was no reply or a 5xx.
   */
  readonly retryable: boolean;
  /**
   * Whether the call may have taken effect all the same: no reply, or one that says that nobody knows (5040). It is
   * no failure: query, or send the same call with the same number, and never another number.
   */
  readonly outcomeUnknown: boolean;
  /** The reply's fields: how a refused refund or transfer stands, for instance. */
  readonly data: Readonly<Record<string, unknown>>;

  constructor(failure: Failure) {
    super(failure.message, failure.cause === undefined ? undefined : { cause: failure.cause });
    this.code = failure.code;
    this.status = failure.status ?? 0;
    this.requestId = failure.requestId;
    this.field = failure.field;
    this.retryable = failure.retryable ?? false;
    this.outcomeUnknown = failure.outcomeUnknown ?? false;
    this.data = failure.data ?? {};
  }
}

/** The `code` of an error without a readable reply: no connection, a time-out, a page of some gateway. */
export const NO_REPLY = -1;
