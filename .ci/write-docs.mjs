// Writes the pages that are generated from code; a test keeps them equal.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { apiReport, REPORTED } from './api-report.mjs';
import { renderErrorDocs } from '../packages/plugin-api/dist/render-error-docs.js';

writeFileSync('docs/errors.md', renderErrorDocs());
const main = 'apps/engine/dist/main.js';
writeFileSync('docs/config.schema.json', execFileSync(process.execPath, [main, 'config', 'schema']));

const root = path.dirname(import.meta.dirname);
mkdirSync('docs/api-report', { recursive: true });
for (const name of REPORTED) writeFileSync(`docs/api-report/${name}.md`, apiReport(root, name));
