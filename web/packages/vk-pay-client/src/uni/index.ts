export { browserPage, type Page } from '../page.js';
export { uniEnv, uniOpenid, uniPost } from './client.js';
export { restorePurchases, type Restored } from './iap.js';
export { uniInvoke } from './invoke.js';
