#!/usr/bin/env node
// The entry: plain JavaScript that any Node.js reads, so that one too old gets a sentence instead of a syntax error.
var found = process.versions.node;
var parts = found.split('.').map(Number);
var major = parts[0] || 0;
var minor = parts[1] || 0;
var fromSource = /\/src\/bin\.js$/.test(import.meta.url) && !/\/dist\/src\/bin\.js$/.test(import.meta.url);
// Sources are TypeScript, which Node.js reads by itself since 22.18 (in 22.13 to 22.17 only behind a flag), and SQLite
// is there without a flag since 22.13.
var neededMinor = fromSource && !process.features.typescript ? 18 : 13;
if (major < 22 || (major === 22 && minor < neededMinor)) {
  process.stderr.write(
    'edgestatd: found Node.js ' +
      found +
      ' (' +
      process.execPath +
      '), but needs ' +
      '22.' +
      neededMinor +
      ' or newer: ' +
      (fromSource
        ? 'run it by "npm start" after "npm ci", which brings its own'
        : 'install it from your distribution or nodejs.org') +
      '\n',
  );
  process.exitCode = 1;
} else {
  import('node:module')
    .then(function (nodeModule) {
      // Stripping types costs a third of a second and 30 MB, and compiling most of the rest; with the result kept, only
      // the first start pays. As a service it is kept where systemd says (CacheDirectory=).
      var folder = fromSource
        ? decodeURIComponent(new URL('../node_modules/.cache/edgestatd', import.meta.url).pathname)
        : process.env.CACHE_DIRECTORY;
      if (folder && nodeModule.enableCompileCache) nodeModule.enableCompileCache(folder);
      return import('./cli.ts');
    })
    .then(function (cli) {
      return cli.main(process.argv.slice(2));
    });
}
