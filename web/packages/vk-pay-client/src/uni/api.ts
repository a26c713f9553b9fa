/** The part of uni-app's `uni` that paying needs. */
export interface Uni {
  request(options: Callbacks & {
    url: string; method: 'POST'; data: string; header: Record<string, string>; timeout: number; dataType: string;
  }): unknown;
  requestPayment?(options: Callbacks): unknown;
  requestVirtualPayment?(options: Callbacks): unknown;
  requestOrder?(options: Callbacks): unknown;
  getOrderPayment?(options: Callbacks): unknown;
  getProvider?(options: Callbacks): unknown;
  login?(options: Callbacks): unknown;
  getStorageSync?(key: string): unknown;
  setStorageSync?(key: string, value: unknown): void;
}

export interface Callbacks {
  success?(told: Told): void;
  fail?(told: Told): void;
  [field: string]: unknown;
}

export interface Told {
  errMsg?: string;
  errCode?: number | string;
  code?: number | string;
  [field: string]: unknown;
}

/** Calls by callbacks, never by promise: some of these calls have no promise. */
export function callUni(api: ((options: Callbacks) => unknown) | undefined, options: object): Promise<{ ok: boolean; told: Told }> {
  return new Promise((done) => {
    if (!api) return done({ ok: false, told: { errMsg: 'not supported on this platform' } });
    api({
      ...options,
      success: (told) => done({ ok: true, told: told ?? {} }),
      fail: (told) => done({ ok: false, told: told ?? {} }),
    });
  });
}
