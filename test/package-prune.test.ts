/** What of a module goes into the packages. */
import { describe, expect, it } from 'vitest';
import { runs } from '../scripts/package/prune.ts';

describe('of the modules', () => {
  it.each([
    'zod/v4/classic/schemas.js',
    'zod/package.json',
    'real-require/src/index.js',
    'yaml/dist/doc/Document.js',
    'koffi/index.js',
    'koffi/src/koffi/src/static.js',
    '@koromix/koffi-linux-x64/linux_x64/koffi.node',
    'ssh2/lib/client.js',
    'got/dist/source/core/utils/http2-client.js',
  ])('%s goes along', (path) => expect(runs(path)).toBe(true));

  it.each([
    'zod/v4/classic/schemas.cjs',
    'zod/src/index.ts',
    'zod/v4/classic/schemas.d.ts',
    'pino/test/basic.test.js',
    'pino/index.html',
    'pino/bin.js',
    'koffi/src/koffi/src/ffi.hh',
    'koffi/vendor/node-api-headers/index.js',
    '@koromix/koffi-linux-x64/musl_x64/koffi.node',
    'ssh2/util/pagent.exe',
    'ssh2/.eslintrc.js',
    'thread-stream/tsconfig.json',
    'cpu-features/lib/index.js',
    'type-fest/package.json',
    '.package-lock.json',
    '.bin/pino',
  ])('%s stays behind', (path) => expect(runs(path)).toBe(false));
});
