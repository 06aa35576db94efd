import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@chargeback/source'] },
  ssr: { resolve: { conditions: ['@chargeback/source', 'node'] } },
  test: {
    testTimeout: 120_000,
    hookTimeout: 180_000,
    globalSetup: ['packages/testkit/test/postgres/global-setup.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['{packages,plugins,apps}/*/test/**/*.test.ts', 'examples/**/*.test.ts'],
        },
      },
      {
        // The pipeline once more, on the other database.
        extends: true,
        test: {
          name: 'postgres',
          include: ['packages/engine/test/**/*.test.ts'],
          env: { TEST_DATABASE: 'postgres' },
        },
      },
    ],
  },
});
