#!/usr/bin/env node
// The database driver crashes on older versions: say so before anything is loaded.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(`chargeback needs Node 22.18 or newer; this is ${process.versions.node}.\n`);
  process.exitCode = 2;
} else {
  const { keepCompiledCode } = await import('./keep-compiled-code.ts');
  keepCompiledCode(process);
  const { runCommandLine } = await import('./command-line.ts');
  process.exitCode = await runCommandLine(process.argv, process);
}
