import { VkPayError } from './error.js';

/** The largest amount that the functions take, fen: 100 million yuan. */
export const MAX_FEN = 10_000_000_000;

/** Whether a value is an amount: an integer of fen from 1 to {@link MAX_FEN}. */
export function isFen(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_FEN;
}

/** Refuses what is no amount, before anything is sent, with the code that the functions have for it. */
export function checkFen(name: string, value: unknown, code: number): void {
  if (!isFen(value)) {
    const given = typeof value === 'number' ? String(value) : typeof value;
    throw new VkPayError({ code, message: `${name} must be an integer of fen from 1 to ${MAX_FEN}, not ${given}` });
  }
}
