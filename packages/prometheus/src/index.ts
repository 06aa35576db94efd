export * from './temporary.ts';
