import neostandard, { plugins, resolveIgnoresFromGitignore } from 'neostandard'

const edge = { regex: '^(fastify|@fastify/.*|@sinclair/typebox|fastify-plugin|prom-client|pino|close-with-grace)(/|$)', message: 'The domain speaks streams; HTTP stays at the edge.' }
const domainFace = { regex: '/streams/(?!index\\.ts$)', message: 'Outside of the domain only its face is known: streams/index.ts.' }
const nodeProcess = { regex: '^(node:)?process$', message: 'Only server.ts knows the process; pass what is needed.' }

/*
 * The arrows of the architecture, inward and never back: server -> app -> plugins, routes -> streams/index;
 * inside the domain: broker -> pools -> protocol, amqp. Each file matches exactly one of these blocks, since a later
 * `no-restricted-imports` replaces an earlier one.
 */
const arrows = [
  // The protocol and the codec could be published alone.
  ...['src/streams/protocol', 'src/streams/amqp'].flatMap(folder => within(folder, [])),
  ...within('src/streams', ['src/streams/protocol/**', 'src/streams/amqp/**']),
  imports(['src/http/**', 'src/problems.ts', 'src/settings/**', 'src/config.ts'], [domainFace, to('plugins|routes|app|server', 'they sit on top of this')]),
  imports(['src/plugins/**'], [domainFace, to('routes|app|server', 'a plugin serves all routes and knows none')]),
  imports(['src/routes/**'], [
    domainFace,
    to('plugins|config|app|server', 'a route gets all it needs by its arguments and decorators'),
    // What several routes share is named here; all else in the folder is a route.
    { regex: '^\\./(?!(codec|incoming|message-schemas|schemas|problems|publish-answer|publish-stream|read-answer|read-query)\\b)', message: 'Routes do not import each other.' }
  ]),
  imports(['src/app.ts'], [domainFace])
]

export default [
  ...neostandard({ ts: true, noJsx: true, ignores: [...resolveIgnoresFromGitignore(), 'openapi/**'] }),
  {
    files: ['**/*.ts', 'scripts/**/*.mjs'],
    languageOptions: { parser: plugins['typescript-eslint'].parser, parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { '@typescript-eslint': plugins['typescript-eslint'].plugin },
    rules: {
      // How a promise is left alone on purpose (no-floating-promises).
      'no-void': ['error', { allowAsStatement: true }],
      // A test of tap is a promise that tap itself waits for.
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafePromises: [{ from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' }] }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }]
    }
  },
  {
    files: ['src/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      // `as const` remains allowed: it asserts nothing.
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }]
    }
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/server.ts'],
    rules: { 'no-restricted-globals': ['error', { name: 'process', message: 'Only server.ts knows the process; pass what is needed.' }] }
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', {
        selector: 'CallExpression[callee.property.name=/^(match|rejects|throws)$/] > .arguments:nth-child(2):matches(ArrayExpression, :has(ArrayExpression:not(SpreadElement *)))',
        message: 'As a pattern an array is only the beginning of one, and [] is any: say exactly(...) of test/support/exactly.ts.'
      }]
    }
  },
  ...arrows
]

/** The files of a folder import nothing outside of it: at each depth, one `../` too many. */
function within (folder, ignores) {
  return [0, 1, 2].map(depth => ({
    ...imports([`${folder}/${'*/'.repeat(depth)}*.ts`], [edge, { regex: `^(\\.\\./){${depth + 1}}`, message: `${folder}/ imports nothing outside of itself.` }]),
    ignores
  }))
}

function imports (files, patterns) {
  return { files, ignores: ['src/server.ts'], rules: { 'no-restricted-imports': ['error', { patterns: [nodeProcess, ...patterns] }] } }
}

/** Nothing of these files and folders of src/. */
function to (names, message) {
  return { regex: `^(\\.\\./)+(${names})(/|\\.ts$)`, message }
}
