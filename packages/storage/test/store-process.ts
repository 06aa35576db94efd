// Run as a process of its own by the tests: <folder> <job> [name].
import { openStore } from '../src/index.ts';
import { saveDay } from './days.ts';
import { optionsIn } from './temporary-store.ts';

const [folder = '', job, name = ''] = process.argv.slice(2);
const store = await openStore(optionsIn(folder));

if (job === 'record-run') {
  await store.startRun(name, new Date());
} else {
  // Alternates between two results of a day until it is killed or cannot write any more.
  const identities = Array.from({ length: 5000 }, (_, index) => `identity-${index}`);
  for (let round = 1; ; round += 1) {
    const rows = Object.fromEntries(
      identities.map((id) => [`${id}-${job === 'grow' ? round : ''}`, BigInt(round)]),
    );
    try {
      await saveDay(store, '2026-02-01', rows, String(round));
    } catch (error) {
      process.stdout.write(`${(error as { code?: string }).code}\n`);
      break;
    }
    process.stdout.write('saved\n');
  }
}
