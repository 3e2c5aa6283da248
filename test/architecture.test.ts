/** The import walls and the other rules of the layout, held over the source text. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { registry } from '../collectors/registry.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => /\.[cm]?[jt]s$/.test(file) && !file.includes('/testdata/'))
    .toSorted();
}

interface Import {
  /** As written for packages and `node:` modules; from the root for our own files. */
  readonly what: string;
  readonly typeOnly: boolean;
}

/** Static, side-effect, re-exporting and dynamic imports of a module's text. */
function importsOf(file: string, text: string): Import[] {
  // Comments may show imports. What looks like one inside a text (`https://x`) does no harm: no import is behind it.
  const code = text.replace(/\/\*[\s\S]*?\*\/|(^|[\s;{}(),])\/\/[^\n]*/g, '$1');
  const found: Import[] = [];
  const add = (specifier: string, typeOnly: boolean): void => {
    const what = specifier.startsWith('.') ? join(dirname(file), specifier) : specifier;
    found.push({ what, typeOnly });
  };
  for (const [, kind, type, names = '', specifier = ''] of code.matchAll(
    /^(import|export)\s+(type\s)?([^'"`;()]*?)\bfrom\s*['"]([^'"]+)['"]/gm,
  )) {
    const each = /^\{([\s\S]*)\}\s*$/
      .exec(names)?.[1]
      ?.split(',')
      .map((name) => name.trim())
      .filter(Boolean);
    const allTypes = kind === 'import' && each !== undefined && each.every((name) => name.startsWith('type '));
    add(specifier, type !== undefined || allTypes);
  }
  for (const [, specifier = ''] of code.matchAll(/^import\s*['"]([^'"]+)['"]/gm)) add(specifier, false);
  for (const [, specifier = ''] of code.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]/g)) add(specifier, false);
  return found;
}

const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');
const isTest = (file: string): boolean => file.endsWith('.test.ts');
const src = filesIn('src');
const collectors = filesIn('collectors').filter((file) => !isTest(file));
const sources = [...src, ...collectors];
const imports: ReadonlyMap<string, readonly Import[]> = new Map(
  sources.map((file) => [file, importsOf(file, textOf(file))]),
);
const importersOf = (what: string): string[] =>
  sources.filter((file) => imports.get(file)?.some((one) => one.what === what || one.what.startsWith(`${what}/`)));
const folders = readdirSync(join(root, 'collectors'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .toSorted();

describe('this test', () => {
  it('sees every form of import', () => {
    const text = [
      "import 'a';",
      "import b from 'b';",
      "import { c } from './c.ts';",
      "import type { D } from '../d.ts';",
      "import { type E, type F } from 'e';",
      'import {\n  type G,\n  h,\n} from "g";',
      "import * as i from 'node:i';",
      "export { j } from './j.ts';",
      "export * from 'k';",
      "  const l = await import('l');",
      "const m = require('m');",
      "// import n from 'n';",
      "/**\n * import o from 'o';\n */",
      "const p = `import q from 'q'`; // import r from 'r'",
      "const url = 'https://example.org'; const s = await import('s');",
    ].join('\n');
    expect(
      importsOf('src/x/y.ts', text)
        .map(({ what, typeOnly }) => (typeOnly ? `type ${what}` : what))
        .toSorted(),
    ).toEqual([
      ...['a', 'b', 'g', 'k', 'l', 'm', 'node:i', 's'],
      ...['src/x/c.ts', 'src/x/j.ts', 'type e', 'type src/d.ts'],
    ]);
  });

  it('sees the sources', () => {
    expect(src).toContain('src/hosts/local.ts');
    expect(src).toContain('src/bin.js');
    expect(collectors).toContain('collectors/registry.ts');
    // Every one of our own files that is imported exists, so no import was misread.
    for (const [file, all] of imports) {
      for (const { what } of all)
        if (/^(src|collectors)\//.test(what)) expect(existsSync(join(root, what)), `${file}: ${what}`).toBe(true);
    }
  });
});

describe('one module alone imports', () => {
  it.each([
    ['got', 'src/hosts/http.ts'],
    ['node-cron', 'src/schedule.ts'],
    ['hot-shots', 'src/sinks/statsd.ts'],
    ['pino', 'src/log.ts'],
    ['yaml', 'src/config-file.ts'],
    ['koffi', 'src/hosts/netlink.ts'],
    ['node:sqlite', 'src/database.ts'],
  ])('%s: %s', (what, importer) => {
    expect(importersOf(what)).toEqual([importer]);
  });

  it('commander: those who declare the command line and read it', () => {
    expect(importersOf('commander')).toEqual(['src/cli.ts', 'src/completion.ts', 'src/program.ts']);
  });

  it('ssh2: src/hosts/ssh.ts, where there is one', () => {
    const importer = 'src/hosts/ssh.ts';
    expect(importersOf('ssh2')).toEqual(existsSync(join(root, importer)) ? [importer] : []);
  });

  it('the registry: src/daemon.ts', () => {
    expect(importersOf('collectors/registry.ts')).toEqual(['src/daemon.ts']);
  });

  it('programs are started below src/hosts/', () => {
    const importers = importersOf('node:child_process');
    expect(importers).toContain('src/hosts/program.ts');
    expect(importers.filter((file) => !file.startsWith('src/hosts/'))).toEqual([]);
  });

  it('what is not written in the source: src/plugins.ts', () => {
    const computed = sources.filter((file) => /\b(?:import|require)\(\s*[^'"\s)]/.test(textOf(file)));
    expect(computed).toEqual(['src/plugins.ts']);
  });
});

describe('collectors', () => {
  const allowed = ['src/collector.ts', 'src/metric.ts', 'src/errors.ts', 'src/text.ts'];

  it.each(folders)(
    '%s imports the contract, the protocol clients, its own folder and zod, and nothing else',
    (folder) => {
      const own = `collectors/${folder}/`;
      const foreign = collectors
        .filter((file) => file.startsWith(own))
        .flatMap((file) => (imports.get(file) ?? []).map(({ what }) => ({ file, what })))
        .filter(({ what }) => {
          const isOurs = allowed.includes(what) || what.startsWith('src/ovs/') || what.startsWith(own);
          return !isOurs && what !== 'zod';
        });
      expect(foreign).toEqual([]);
    },
  );

  it.each(folders)('%s reaches nothing but its host: no process, network, console, clock or timer', (folder) => {
    const global =
      /\b(?:process\.[a-z]\w*|fetch\(|console\.\w|globalThis\b|set(?:Timeout|Interval|Immediate)\(|Date\.now|new Date\(\)|performance\.now)/;
    for (const file of collectors.filter((one) => one.startsWith(`collectors/${folder}/`))) {
      const code = textOf(file).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
      expect(global.exec(code)?.[0], file).toBeUndefined();
    }
  });

  it('are the folders of collectors/, by the same names', () => {
    expect([...registry.keys()].toSorted()).toEqual(folders);
    for (const [name, collector] of registry) expect(collector.name).toBe(name);
  });

  it('import nothing but each other’s contract in the registry', () => {
    const all = (imports.get('collectors/registry.ts') ?? []).map(({ what }) => what).toSorted();
    expect(all).toEqual([...folders.map((folder) => `collectors/${folder}/index.ts`), 'src/collector.ts']);
  });

  it.each(folders)('%s has all that a collector’s folder has', (folder) => {
    const wanted = ['index.ts', 'parse.ts', 'metrics.ts', 'parse.test.ts', 'README.md', 'sample.yaml', 'testdata'];
    const there = readdirSync(join(root, 'collectors', folder));
    expect(wanted.filter((name) => !there.includes(name))).toEqual([]);
    expect(readdirSync(join(root, 'collectors', folder, 'testdata'))).not.toEqual([]);
  });
});

describe('pure modules', () => {
  const pure = [
    ...[
      'text',
      'metric',
      'errors',
      'naming',
      'vet',
      'totals',
      'increments',
      'ratios',
      'derived',
      'sight',
      'scope',
      'units',
    ].map((name) => `src/${name}.ts`),
    ...['lines', 'pack', 'series', 'pace', 'carbon-lines', 'carbon-slots', 'carbon-ledger'].map(
      (name) => `src/sinks/${name}.ts`,
    ),
    ...[
      ...[
        'board-order',
        'board-rows',
        'gate',
        'health',
        'job-notes',
        'screen-jobs',
        'screen-line',
        'spans',
        'trouble-notes',
      ],
      'sink-status',
    ].map((name) => `src/status/${name}.ts`),
    ...['width', 'line', 'layout', 'rows', 'screen', 'view', 'keys', 'press', 'print', 'flags'].map(
      (name) => `src/top/${name}.ts`,
    ),
    ...folders.map((folder) => `collectors/${folder}/parse.ts`),
  ];

  it.each(pure)('%s imports no node: module and no package, not even through another', (first) => {
    const reached = new Set<string>();
    const reach = (file: string): void => {
      for (const { what, typeOnly } of imports.get(file) ?? []) {
        if (typeOnly || reached.has(what)) continue;
        reached.add(what);
        reach(what);
      }
    };
    expect(imports.has(first), first).toBe(true);
    reach(first);
    expect([...reached].filter((what) => !sources.includes(what))).toEqual([]);
    expect((imports.get(first) ?? []).filter(({ what }) => what.startsWith('node:'))).toEqual([]);
  });
});

describe('all sources', () => {
  it('import each other in one direction: there is no cycle, not even of types', () => {
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, above: readonly string[]): void => {
      if (above.includes(file)) cycles.push([...above.slice(above.indexOf(file)), file].join(' → '));
      if (above.includes(file) || done.has(file)) return;
      for (const { what } of imports.get(file) ?? []) visit(what, [...above, file]);
      done.add(file);
    };
    for (const file of sources) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('import packages that package.json declares for those who install it', () => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(textOf('package.json'));
    const declared = new Set(Object.keys({ ...dependencies, ...optionalDependencies }));
    const packages = [...imports].flatMap(([file, all]) =>
      all
        .map(({ what }) => what)
        .filter((what) => !/^(node:|src\/|collectors\/)/.test(what))
        .map((what) => ({ file, name: /^(?:@[^/]+\/)?[^/]+/.exec(what)?.[0] ?? what })),
    );
    expect(packages.filter(({ name }) => !declared.has(name))).toEqual([]);
  });

  it('have at most 250 lines', () => {
    const long = sources.map((file) => [file, textOf(file).trimEnd().split('\n').length] as const);
    expect(long.filter(([, count]) => count > 250)).toEqual([]);
  });

  it('have no default export', () => {
    expect(sources.filter((file) => /^export\s+(?:default\b|\{[^}]*\bas\s+default\b)/m.test(textOf(file)))).toEqual([]);
  });

  it('say in their name what they do', () => {
    const vague = /(?:^|[/.-])(?:utils?|helpers?|common|misc|managers?|services?|handlers?|processors?)(?:[/.-]|$)/;
    expect(sources.filter((file) => vague.test(file))).toEqual([]);
    expect(vague.test('src/utils.ts') && vague.test('src/job-manager.ts') && vague.test('src/helpers/x.ts')).toBe(true);
  });
});
