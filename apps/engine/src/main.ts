#!/usr/bin/env node
// The database driver crashes on older versions: say so before anything is loaded.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(`chargeback needs Node 22.18 or newer; this is ${process.versions.node}.\n`);
  process.exitCode = 2;
} else {
  // Whoever reads may stop, as `head` does: what the command does goes on all the same.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  const { keepCompiledCode } = await import('./keep-compiled-code.ts');
  keepCompiledCode(process);
  const { runCommandLine } = await import('./command-line.ts');
  process.exitCode = await runCommandLine(process.argv, process);
}
