/** `node scripts/bundle.ts`: the program below dist/, as the container image has it. */
import { resolve } from 'node:path';
import { bundle } from './package/bundle.ts';

const root = resolve(import.meta.dirname, '..');
await bundle(root, resolve(root, 'dist'));
