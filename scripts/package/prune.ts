/** Which files of the production modules run, and which are there for those who develop them. */

/** Folders at the top of a module that hold no code which it loads. */
const IDLE_FOLDERS = new Set([
  ...['test', 'tests', 'bench', 'benchmarks', 'example', 'examples', 'doc', 'docs', 'browser', '.github', '.vscode'],
]);

/** Where the sources of what is built lie beside it. In other modules `src` is the code itself. */
const SOURCE_FOLDERS: Readonly<Record<string, readonly string[]>> = {
  zod: ['src', 'mini', 'v4-mini', 'v3'],
  koffi: ['vendor', 'lib'],
};

/** Modules of types alone, and addons that are built on installation, which nobody does here, with what builds them. */
const IDLE_MODULES = new Set([
  ...['type-fest', 'cpu-features', 'buildcheck', 'nan', 'unix-dgram', 'modern-syslog', 'bindings', 'file-uri-to-path'],
]);

/** What Node.js loads. Licences are told in the package's copyright file. */
const LOADED = /\.(?:[cm]?js|json|node)$/;
/** Programs of modules, settings of the tools of those who develop them. */
const IDLE_FILES =
  /^(?:bin\.m?js|cnoke\.cjs)$|(?:^|\/)(?:\.|tsconfig[^/]*\.json$|eslint\.config\.|[a-z.]*\.config\.[cm]?js$)/;

/** `linux_x64` and the like: the builds of one native addon for machines that are not this one. */
function isForeignBuild(inside: string): boolean {
  return /(?:^|\/)musl_[a-z0-9]+\//.test(inside);
}

/** The module that a path below node_modules belongs to, and the path within. */
function split(path: string): { readonly module: string; readonly inside: string } {
  const parts = path.split('/');
  const length = parts[0]?.startsWith('@') === true ? 2 : 1;
  return { module: parts.slice(0, length).join('/'), inside: parts.slice(length).join('/') };
}

/** Whether a file, by its path from node_modules, is needed when edgestatd runs. */
export function runs(path: string): boolean {
  const { module, inside } = split(path);
  if (inside === '' || module.startsWith('.') || IDLE_MODULES.has(module)) return false;
  const top = inside.split('/')[0] ?? '';
  if (inside.includes('/') && (IDLE_FOLDERS.has(top) || SOURCE_FOLDERS[module]?.includes(top) === true)) return false;
  if (isForeignBuild(inside)) return false;
  // zod is there twice; edgestatd imports it, and nobody else does.
  if (module === 'zod' && inside.endsWith('.cjs')) return false;
  return LOADED.test(inside) && !IDLE_FILES.test(inside);
}

/** Native addons, and ssh2 with what it needs, which looks for one beside its own file. */
const APART = /^(?:koffi|@koromix\/koffi-[a-z0-9-]+|ssh2|asn1|bcrypt-pbkdf|safer-buffer|tweetnacl)$/;

/** Whether a file, by its path from node_modules, is of a module that is not bundled with edgestatd. */
export const staysApart = (path: string): boolean => APART.test(split(path).module);

/** Whether a module runs at all: its licence is told where it does. */
export const isShipped = (module: string): boolean => !module.startsWith('.') && !IDLE_MODULES.has(module);
