/** Which versions of the C and C++ libraries a program needs, as dependencies of a Debian package. */
import { readFileSync } from 'node:fs';

/** libstdc++'s symbol versions (3.4.N) → the GCC that brought them; from the manual of libstdc++. */
const GCC_OF: readonly (readonly [symbol: number, gcc: string])[] = [
  [21, '5.2'],
  [22, '6'],
  [24, '7'],
  [25, '8'],
  [26, '9'],
  [28, '9.3'],
  [29, '11'],
  [30, '12'],
  [32, '13.1'],
  [33, '14'],
];

/** The highest minor version of a symbol that a program names, such as 28 of GLIBC_2.28. */
function highest(text: string, symbol: RegExp): number | undefined {
  const found = [...text.matchAll(symbol)].map(([, minor]) => Number(minor));
  return found.length === 0 ? undefined : Math.max(...found);
}

/** `libc6 (>= 2.28)` and so on, of all programs and shared objects together. */
export function libraryDependencies(files: readonly string[]): string[] {
  const text = files.map((file) => readFileSync(file, 'latin1')).join('\n');
  const libc = highest(text, /GLIBC_2\.(\d+)\0/g);
  const cxx = highest(text, /GLIBCXX_3\.4\.(\d+)\0/g);
  const needs: string[] = [];
  if (libc !== undefined) needs.push(`libc6 (>= 2.${libc})`);
  if (/\0libgcc_s\.so\.1\0/.test(text)) needs.push('libgcc-s1');
  if (cxx !== undefined) {
    const [, gcc] = GCC_OF.find(([symbol]) => symbol >= cxx) ?? [];
    if (gcc === undefined)
      throw new Error(`GLIBCXX_3.4.${cxx}: it is not known which libstdc++6 has it; add it to GCC_OF`);
    needs.push(`libstdc++6 (>= ${gcc})`);
  }
  return needs;
}
