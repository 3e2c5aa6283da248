import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'collectors/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Some tests watch processes and timers: one that waits for a busy neighbour is not worth the seconds saved.
    maxWorkers: 2,
    // Real servers, UDP and shaped traffic, on two cores that others take: what is wrong is so twice.
    retry: process.env.CI === 'true' ? 1 : 0,
  },
});
