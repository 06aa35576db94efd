// Writes the pages that are generated from code; a test keeps them equal.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { renderErrorDocs } from '../packages/plugin-api/dist/render-error-docs.js';

writeFileSync('docs/errors.md', renderErrorDocs());
const main = 'apps/engine/dist/main.js';
writeFileSync('docs/config.schema.json', execFileSync(process.execPath, [main, 'config', 'schema']));
