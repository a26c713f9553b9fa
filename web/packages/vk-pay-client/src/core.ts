export * from './index.js';
export * from './uni/index.js';
