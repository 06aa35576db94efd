import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@chargeback/source'] },
  ssr: { resolve: { conditions: ['@chargeback/source', 'node', 'import', 'module', 'default'] } },
  test: {
    include: ['{packages,plugins,apps}/*/test/**/*.test.ts', 'examples/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});
