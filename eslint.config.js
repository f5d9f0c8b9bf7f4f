import neostandard, { plugins, resolveIgnoresFromGitignore } from 'neostandard'
import { architecture } from './lint/index.js'

const typescript = plugins['typescript-eslint']
const notServer = 'Only server.ts and main.ts know the process; pass what is needed.'

export default [
  ...neostandard({
    ts: true,
    noJsx: true,
    // The example in TypeScript imports types that a test generates, which then compiles it strictly.
    ignores: [...resolveIgnoresFromGitignore(), 'openapi/**', 'examples/typescript/**']
  }),
  { plugins: { architecture, '@stylistic': plugins['@stylistic'], '@typescript-eslint': typescript.plugin } },

  // Which room may import which: the table of lint/rooms.js.
  {
    files: ['{src,console}/**'],
    rules: { 'architecture/rooms': 'error' }
  },
  // Files form no circle either, within a room and outside of src/.
  { rules: { 'architecture/no-cycles': 'error' } },

  // The domain speaks streams, the edge speaks HTTP: an error gets its status in api/problems.
  {
    files: ['src/{messages,push,live,access,text,streams}/**'],
    rules: { 'architecture/statuses': 'error' }
  },
  // A public code is no private signal between classes: this one means shutting down.
  {
    files: ['src/**'],
    ignores: ['src/streams/ended.ts'],
    rules: { 'architecture/draining': 'error' }
  },
  // Only server.ts and main.ts touch the process, so that tests can run all else in theirs.
  {
    files: ['src/**'],
    ignores: ['src/{server,main}.ts'],
    rules: { 'no-restricted-globals': ['error', { name: 'process', message: notServer }] }
  },

  // Small enough to be read whole. Comments and empty lines count.
  {
    rules: {
      'max-lines': ['error', 250],
      '@stylistic/max-len': ['error', { code: 120 }]
    }
  },
  {
    ignores: ['test/**'], // the outer function of a test is as long as its promise
    rules: { 'max-lines-per-function': ['error', 50] }
  },

  // Rules that need the types.
  {
    files: ['**/*.ts', 'scripts/**/*.mjs', 'lint/**/*.js'],
    languageOptions: {
      parser: typescript.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname }
    },
    rules: {
      // How a promise is left alone on purpose (no-floating-promises).
      'no-void': ['error', { allowAsStatement: true }],
      // A test of tap is a promise that tap itself waits for.
      '@typescript-eslint/no-floating-promises': ['error', {
        allowForKnownSafePromises: [{ from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' }]
      }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }]
    }
  },

  // An assertion turns the check of a type off.
  {
    files: ['{src,bench}/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      // `as const` remains allowed: it asserts nothing.
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }]
    }
  },

  // Only the broker of the caller knows what the caller may do.
  {
    files: ['src/routes/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', {
        selector: "MemberExpression[object.property.name='broker']" +
          '[property.name=/^(streams|publishing|reading|consumers)$/]',
        message: 'A route asks brokerOf(request): the caller may have a broker of its own.'
      }]
    }
  },

  // A test that cannot fail is a defect, and a pattern of [] matches every array.
  {
    files: ['test/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', {
        selector: 'CallExpression[callee.property.name=/^(match|rejects|throws)$/] > .arguments:nth-child(2)' +
          ':matches(ArrayExpression, :has(ArrayExpression:not(SpreadElement *)))',
        message: 'As a pattern an array is only the beginning of one, and [] is any: ' +
          'use exactly(...) of test/support/exactly.ts.'
      }]
    }
  }
]
