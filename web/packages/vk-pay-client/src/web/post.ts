import type { Post } from '../types.js';

/** POSTs by `fetch`. */
export const fetchPost: Post = async ({ url, body, headers, timeout }) => {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeout);
  try {
    const response = await fetch(url, { method: 'POST', body, headers, signal: abort.signal });
    return { status: response.status, body: await response.text(), header: (name) => response.headers.get(name) };
  } finally {
    clearTimeout(timer);
  }
};
