import { noise, seedOf } from '../simulator/random.ts';

const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';
const BITS = 5;
const SPACE = 2 ** 30;

/** `lkc-8x2fkq`: looks random, and two indexes below 2³⁰ never give the same under one seed and prefix. */
export function vendorId(prefix: string, seed: number, index: number): string {
  const offset = seedOf(seed, prefix) >>> 0;
  return `${prefix}-${scrambled(offset, index)}`;
}

/** Sixteen capital letters and digits, as API keys have. */
export function apiKeyId(seed: number, index: number): string {
  const text = scrambled(seedOf(seed, 'api-key') >>> 0, index).toUpperCase();
  return `${text}${text.split('').toReversed().join('')}KEYS`;
}

/** A UUID that depends on nothing but the arguments. */
export function uuidOf(seed: number, name: string): string {
  const own = seedOf(seed, name);
  const hex = Array.from({ length: 32 }, (_, index) => Math.floor(noise(own, index) * 16).toString(16)).join(
    '',
  );
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** Multiplication by an odd number permutes the numbers below a power of two. */
function scrambled(offset: number, index: number): string {
  let value = (Math.imul(index + 1, 0x9e3779b1) + offset) >>> 0;
  value %= SPACE;
  let text = '';
  for (let place = 0; place < 6; place += 1) {
    text += ALPHABET[value & 31]!;
    value >>>= BITS;
  }
  return text;
}
