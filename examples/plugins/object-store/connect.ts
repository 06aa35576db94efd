import { readFile } from 'node:fs/promises';
import type { Ecosystem, PluginHost } from '@chargeback/plugin-api';
import { linesOf, readBill } from './bill.ts';
import { bucketsOf, principal, teamsOf } from './inventory.ts';
import { requestsIn } from './requests.ts';
import { routing } from './routes.ts';
import type { Settings } from './settings.ts';

/** Reads both files; a real store would be asked through `host.fetch`. */
export async function connect(settings: Settings, host: PluginHost): Promise<Ecosystem> {
  const textOf = (file: string): Promise<string> => readFile(host.resolvePath(file), 'utf8');
  const rows = readBill(await textOf(settings.bill_file));
  const metrics = requestsIn(await textOf(settings.requests_file));
  return {
    ...routing(),
    // A vendor restates its bill: every run asks again, and what did not change is not calculated again.
    regather: 'always',
    gatherKey: { currency: settings.currency },
    metrics,
    identityFromUsage: principal,
    async *billing(window) {
      yield { window, lines: linesOf(rows, window, settings.currency), problems: [] };
    },
    async *resources() {
      yield { authoritativeFor: ['bucket'], resources: bucketsOf(rows) };
    },
    async *identities() {
      yield { authoritativeFor: ['team'], identities: teamsOf(rows) };
    },
    async [Symbol.asyncDispose]() {
      // Nothing to close.
    },
  };
}
