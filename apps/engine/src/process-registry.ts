import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ProcessRegistry } from '@chargeback/engine';

/**
 * This process by machine and number. Where the machine is surely the same (name, boot, and on Linux the
 * namespace of process numbers) a number that no process has means that the holder is dead.
 */
export function processRegistry(context: Pick<NodeJS.Process, 'pid' | 'kill'>): ProcessRegistry {
  const machine = machineName();
  return {
    own: `${machine}#${context.pid}`,
    isGone: (holder) => {
      const [, place, number] = /^(.*)#(\d+)$/.exec(holder.split(' ')[0] ?? '') ?? [];
      return place === machine && number !== undefined && !isAlive(context, Number(number));
    },
  };
}

function machineName(): string {
  return [hostname(), textOf(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')), namespace()]
    .filter((part) => part !== '')
    .join('/');
}

function namespace(): string {
  return textOf(() => readlinkSync('/proc/self/ns/pid')).replaceAll(/\D/g, '');
}

/** Other systems have no such file. */
function textOf(read: () => string): string {
  try {
    return read().trim();
  } catch {
    return '';
  }
}

function isAlive(context: Pick<NodeJS.Process, 'kill'>, pid: number): boolean {
  try {
    context.kill(pid, 0);
    return true;
  } catch (cause) {
    // It is there, but belongs to somebody else.
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM';
  }
}
