#!/usr/bin/env node
import path from 'node:path';
import { createPlugin, PluginNameError } from './create-plugin.ts';

const [name] = process.argv.slice(2);
if (name === undefined || name.startsWith('-')) {
  process.stderr.write('usage: npm create @chargeback/plugin my-ecosystem\n');
  process.exitCode = 2;
} else {
  try {
    const folder = path.relative('.', createPlugin({ name, parent: '.' }));
    process.stdout.write(
      [
        `${folder} is written. Next:`,
        '',
        `  cd ${folder}`,
        '  npm install',
        '  npm test          # the conformance suite, on the bill in bill.csv',
        '  npm run build',
        '  npm run bill      # bills the last days into out/',
        '',
        'README.md says what to change first.',
        '',
      ].join('\n'),
    );
  } catch (error) {
    if (!(error instanceof PluginNameError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}
