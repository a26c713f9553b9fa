export * from './types.js';
export { createPayController } from './controller.js';
export { alipayScheme, detectEnv, openWay, withOrder } from './env.js';
export { qrPng } from './qr.js';
export { endOf, field, isPassing, readState } from './reply.js';
export { callFunction, defaultTransport, httpTransport, isFen, setup } from './transport.js';
