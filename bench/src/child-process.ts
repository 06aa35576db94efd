import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of the scripts beside this one: built, or as they were written. */
const EXTENSION = path.extname(import.meta.url);

/** The engine as the application has it: built, it is bundled. */
const BUNDLED: ReadonlySet<string> = new Set(['run-engine']);

function start(name: string, job: unknown): ChildProcess {
  const folder = EXTENSION === '.js' && BUNDLED.has(name) ? '../bundle/' : './';
  const script = fileURLToPath(new URL(`${folder}${name}${EXTENSION}`, import.meta.url));
  // The options of this process, those on memory among them, are the child's too.
  return fork(script, [JSON.stringify(job)], { stdio: 'inherit' });
}

async function firstMessage(child: ChildProcess, name: string): Promise<unknown> {
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with code ${String(code)} and no result`);
  });
  const [message] = (await Promise.race([once(child, 'message'), failed])) as [unknown];
  return message;
}

/** Runs a job in a process of its own and returns what it answers. */
export async function runJob<Result>(name: string, job: unknown): Promise<Result> {
  const child = start(name, job);
  const ended = once(child, 'exit');
  const result = (await firstMessage(child, name)) as Result;
  await ended;
  return result;
}

/** A process that goes on until it is let go of. */
export interface Service<Ready> extends AsyncDisposable {
  readonly ready: Ready;
}

export async function startService<Ready>(name: string, job: unknown): Promise<Service<Ready>> {
  const child = start(name, job);
  const ended = once(child, 'exit');
  const ready = (await firstMessage(child, name)) as Ready;
  return {
    ready,
    async [Symbol.asyncDispose]() {
      child.disconnect();
      await ended;
    },
  };
}
