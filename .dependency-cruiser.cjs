// Who may import whom. The picture is in docs/architecture.md.
/** Packages of ours that each package may import, besides itself. */
const allowed = {
  money: [],
  'plugin-api': ['money'],
  allocation: ['money', 'plugin-api'],
  config: ['money', 'plugin-api'],
  prometheus: ['money', 'plugin-api'],
  storage: ['money', 'plugin-api'],
  emitters: ['money', 'plugin-api'],
  engine: ['money', 'plugin-api', 'allocation', 'config', 'prometheus', 'storage', 'emitters'],
  'create-plugin': [],
  testkit: ['money', 'plugin-api', 'allocation', 'storage'],
};

const layers = Object.entries(allowed).map(([name, may]) => ({
  name: `${name}-imports-only-below`,
  comment: `packages/${name} may import ${may.join(', ') || 'nothing of ours'}.`,
  severity: 'error',
  from: { path: `^packages/${name}/src` },
  to: { path: '^(packages|plugins|apps)/', pathNot: [`^packages/(${[name, ...may].join('|')})/`] },
}));

module.exports = {
  forbidden: [
    ...layers,
    {
      name: 'plugins-import-only-the-contract-and-its-helpers',
      comment:
        'A plugin may import money, plugin-api, allocation and prometheus; never the engine or another plugin.',
      severity: 'error',
      from: { path: '^plugins/([^/]+)/src' },
      to: {
        path: '^(packages|plugins|apps)/',
        pathNot: ['^packages/(money|plugin-api|allocation|prometheus)/', '^plugins/$1/'],
      },
    },
    {
      name: 'nobody-imports-a-plugin-by-name',
      comment: 'Plugins are discovered.',
      severity: 'error',
      from: { path: '^(packages|apps)/[^/]+/src' },
      to: { path: '^plugins/' },
    },
    {
      name: 'only-entry-points',
      comment: 'Other packages are used through their index only.',
      severity: 'error',
      from: { path: '^(packages|plugins|apps)/([^/]+)/' },
      to: {
        path: '^(packages|plugins)/[^/]+/(src|dist)/(?!index\\.)',
        pathNot: '^(packages|plugins|apps)/$2/',
      },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-tests-in-sources',
      severity: 'error',
      from: { path: '/src/' },
      to: { path: '/test/' },
    },
    {
      name: 'nothing-unresolvable',
      severity: 'error',
      from: { path: '/src/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|/dist/' },
    exclude: { path: ['/dist/', '/bundle/', '/template/', '\\.tsbuildinfo$'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@chargeback/source', 'import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
    tsPreCompilationDeps: true,
    parser: 'tsc',
  },
};
